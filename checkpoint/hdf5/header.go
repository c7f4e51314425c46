package hdf5

// Types of the messages in an object's header that are read.
const (
	msgDataspace    = 0x01
	msgLinkInfo     = 0x02
	msgDatatype     = 0x03
	msgOldFill      = 0x04
	msgFill         = 0x05
	msgLink         = 0x06
	msgExternal     = 0x07
	msgLayout       = 0x08
	msgFilters      = 0x0b
	msgAttribute    = 0x0c
	msgContinuation = 0x10
	msgSymbols      = 0x11
	msgAttributes   = 0x15

	lastMessage = 0x18 // beyond are messages of later versions
)

// Flags of a message.
const (
	flagShared  = 0x02
	flagUnknown = 0x80 // who does not know the message must not read the object
)

// message is one message of an object's header.
type message struct {
	kind  uint16
	flags uint8
	*cursor
}

// header reads all messages of the object at an address.
func (r *reader) header(address uint64) ([]message, error) {
	c, err := r.block(address, 8, "object header")
	if err != nil {
		return nil, err
	}
	if string(c.b[:4]) == "OHDR" {
		return r.newHeader(address)
	}
	if c, err = r.block(address, 16, "object header"); err != nil {
		return nil, err
	}
	if v := c.u8(); v != 1 {
		return nil, r.fail(c.at, "its object header begins with %q, expected version 1 or \"OHDR\"", c.b[:4])
	}
	c.skip(1)
	left := int(c.u16())
	c.skip(4)
	size := int64(c.u32())
	type span struct {
		address uint64
		size    int64
	}
	var found []message
	for spans := []span{{address + 16, size}}; len(spans) > 0; spans = spans[1:] {
		c, err := r.block(spans[0].address, spans[0].size, "object header")
		if err != nil {
			return nil, err
		}
		for left > 0 && c.rest() >= 8 && c.err == nil {
			left--
			kind, n, flags := c.u16(), int(c.u16()), c.u8()
			c.skip(3)
			m := message{kind, flags, c.sub(n, "object header")}
			if kind == msgContinuation {
				spans = append(spans, span{m.address(), m.length()})
			}
			if found, err = r.keep(found, m); err != nil {
				return nil, err
			}
		}
		if c.err != nil {
			return nil, c.err
		}
	}
	if left > 0 {
		return nil, r.fail(c.at, "its object header says it has %d messages more than it has", left)
	}
	return found, nil
}

// keep adds a message that matters.
func (r *reader) keep(found []message, m message) ([]message, error) {
	if m.err != nil {
		return nil, m.err
	}
	if m.kind > lastMessage && m.flags&flagUnknown != 0 {
		return nil, r.fail(m.at, "its object header has a message of type %d, which is not known and must not be passed over", m.kind)
	}
	if m.kind == 0 || m.kind == msgContinuation {
		return found, nil
	}
	if err := r.spend(m.at, 64); err != nil { // what is kept of it
		return nil, err
	}
	return append(found, m), nil
}

// newHeader reads a header of version 2.
func (r *reader) newHeader(address uint64) ([]message, error) {
	c, err := r.signed(address, 6, "object header", "OHDR", 2)
	if err != nil {
		return nil, err
	}
	flags := c.u8()
	front := int64(6)
	if flags&0x20 != 0 {
		front += 16 // times
	}
	if flags&0x10 != 0 {
		front += 4 // when attributes move to a heap
	}
	width := int64(1) << (flags & 3)
	if c, err = r.block(address, front+width, "object header"); err != nil {
		return nil, err
	}
	c.skip(int(front))
	size := c.uint(int(width))
	if size > uint64(r.f.size) {
		return nil, r.fail(c.at, "its object header says it has %d bytes, the file has %d", size, r.f.size)
	}
	if c, err = r.block(address, front+width+int64(size)+4, "object header"); err != nil {
		return nil, err
	}
	var found []message
	spans := []*cursor{c}
	for i := 0; i < len(spans); i++ {
		c := spans[i]
		if err := c.sum(); err != nil {
			return nil, err
		}
		if i == 0 {
			c.skip(int(front + width))
		} else if got := c.take(4); string(got) != "OCHK" {
			return nil, r.fail(c.at, "its object header goes on with %q, expected \"OCHK\"", got)
		}
		front := 4
		if flags&4 != 0 {
			front += 2 // order of creation
		}
		for c.rest() >= front && c.err == nil {
			kind, n, mf := uint16(c.u8()), int(c.u16()), c.u8()
			c.skip(front - 4)
			m := message{kind, mf, c.sub(n, "object header")}
			if kind == msgContinuation {
				next, err := r.block(m.address(), m.length(), "object header")
				if err != nil {
					return nil, err
				}
				spans = append(spans, next)
			}
			if found, err = r.keep(found, m); err != nil {
				return nil, err
			}
		}
		if c.err != nil {
			return nil, c.err
		}
	}
	return found, nil
}

// shared follows a message that is kept elsewhere: in the header of a named
// element type.
func (r *reader) shared(m message) (message, error) {
	if m.flags&flagShared == 0 {
		return m, m.err
	}
	return r.follow(m.cursor, m.kind)
}

// follow reads the place of a shared message and returns the message.
func (r *reader) follow(c *cursor, kind uint16) (message, error) {
	at := c.here()
	version, where := c.u8(), c.u8()
	if version == 1 {
		c.skip(6)
	}
	if c.err == nil && (version < 1 || version > 3) {
		return message{}, r.fail(at, "the place of a shared message has version %d, expected 1 to 3", version)
	}
	if version == 3 && where == 1 {
		return message{}, r.fail(at, "a message is in the file's table of shared messages, which is not read")
	}
	address := c.address()
	if c.err != nil {
		return message{}, c.err
	}
	messages, err := r.header(address)
	if err != nil {
		return message{}, err
	}
	for _, m := range messages {
		if m.kind == kind && m.flags&flagShared == 0 {
			return m, nil
		}
	}
	return message{}, r.fail(at, "the object at address %d has no message of type %d to share", address, kind)
}
