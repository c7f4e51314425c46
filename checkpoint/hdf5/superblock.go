package hdf5

// superblock finds and reads the superblock and returns the address of the
// root group's header. It may stand after a block of the user's own, at 512
// bytes, 1024 and so on.
func (r *reader) superblock() (uint64, error) {
	f := r.f
	if f.size == 0 {
		return 0, r.fail(-1, "the file is empty")
	}
	for base := int64(0); ; base = max(512, base*2) {
		if base > f.size-int64(len(Magic)) {
			return 0, r.fail(0, "there is no HDF5 signature: this is not an HDF5 file")
		}
		var head [8]byte
		if err := f.readAt("", head[:], base); err != nil {
			return 0, err
		}
		if string(head[:]) == Magic {
			f.base = base
			break
		}
	}
	// The longest superblock there is has 100 bytes.
	c, err := r.block(0, min(f.size-f.base, 100), "superblock")
	if err != nil {
		return 0, err
	}
	c.skip(8)
	switch version := c.u8(); version {
	case 0, 1:
		return c.oldSuperblock(version)
	case 2, 3:
		return c.newSuperblock()
	default:
		return 0, r.fail(c.here()-1, "its superblock has version %d, expected 0 to 3", version)
	}
}

func (c *cursor) sizes() error {
	f := c.r.f
	at := c.here()
	f.offsets, f.lengths = int(c.u8()), int(c.u8())
	for _, n := range []int{f.offsets, f.lengths} {
		if c.err == nil && n != 2 && n != 4 && n != 8 {
			return c.r.fail(at, "addresses have %d bytes and lengths %d, expected 2, 4 or 8", f.offsets, f.lengths)
		}
	}
	return c.err
}

// end compares the file's size with what the superblock says it is.
func (c *cursor) end(base, end uint64) error {
	f := c.r.f
	if c.err != nil {
		return c.err
	}
	if base != 0 && base != uint64(f.base) {
		return c.r.fail(c.here(), "the superblock says it is at byte %d, it is at %d", base, f.base)
	}
	if end == undefined || end > uint64(f.size) {
		return c.r.fail(c.here(), "the file is cut off: it says it ends at byte %d, it has %d bytes", end, f.size)
	}
	return nil
}

func (c *cursor) oldSuperblock(version uint8) (uint64, error) {
	c.skip(4) // versions of what is not read
	if err := c.sizes(); err != nil {
		return 0, err
	}
	c.skip(1 + 2 + 2 + 4)
	if version == 1 {
		c.skip(4)
	}
	base := c.address()
	c.address() // free space
	end := c.address()
	c.address() // driver
	c.address() // the root's name
	root := c.address()
	return root, c.end(base, end)
}

func (c *cursor) newSuperblock() (uint64, error) {
	if err := c.sizes(); err != nil {
		return 0, err
	}
	c.skip(1)
	base := c.address()
	c.address() // extension: settings for writing
	end := c.address()
	root := c.address()
	if c.err != nil || c.rest() < 4 {
		c.take(4)
		return 0, c.err
	}
	c.b = c.b[:c.pos+4]
	if err := c.sum(); err != nil {
		return 0, err
	}
	return root, c.end(base, end)
}
