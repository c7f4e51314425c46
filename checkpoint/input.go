package checkpoint

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// MaxPiped is how many bytes of a pipe or a standard stream OpenInput reads:
// what cannot be read twice is kept in memory.
const MaxPiped = 1 << 30

// Input is the bytes of a file that a reader can go about in.
type Input struct {
	io.ReaderAt
	Size int64

	file *os.File // nil: in memory
}

// Close releases the file.
func (in *Input) Close() error {
	if in.file == nil {
		return nil
	}
	return in.file.Close()
}

// OpenInput opens the file at path for a reader. A pipe ("<(command)", /dev/stdin,
// a FIFO somebody writes to) is read to its end into memory, MaxPiped bytes at
// most; a FIFO that nobody writes to is an error at once, where opening it would
// wait for ever. A folder, a device or a socket is an ErrFormat.
func OpenInput(path string) (*Input, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, &Error{File: path, Reason: "it cannot be opened: " + reason(err), Err: err}
	}
	piped := info.Mode()&(os.ModeNamedPipe|os.ModeCharDevice) != 0
	if !info.Mode().IsRegular() && !piped {
		return nil, &Error{File: path, Reason: fmt.Sprintf("it is %s, expected a file", modeName(info.Mode()))}
	}
	f, err := os.OpenFile(path, os.O_RDONLY|nonblocking(piped), 0)
	if err != nil {
		return nil, &Error{File: path, Reason: "it cannot be opened: " + reason(err), Err: err}
	}
	if !piped {
		if info, err = f.Stat(); err != nil { // of what was opened
			_ = f.Close() // it was only read
			return nil, &Error{File: path, Reason: reason(err), Err: err}
		}
		return &Input{ReaderAt: f, Size: info.Size(), file: f}, nil
	}
	defer f.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(io.LimitReader(f, MaxPiped+1)); err != nil {
		return nil, &Error{File: path, Reason: "reading the pipe failed: " + reason(err), Err: err}
	}
	switch {
	case b.Len() > MaxPiped:
		return nil, &Error{File: path, Reason: fmt.Sprintf("more than %d bytes come out of the pipe; save them as a file", MaxPiped)}
	case b.Len() == 0:
		return nil, &Error{File: path, Reason: "nothing comes out of the pipe: nobody writes to it"}
	}
	return &Input{ReaderAt: bytes.NewReader(b.Bytes()), Size: int64(b.Len())}, nil
}

// reason is an error of package os without the path, which the message has.
func reason(err error) string {
	if p, ok := err.(*os.PathError); ok {
		return p.Err.Error()
	}
	return err.Error()
}

func modeName(m os.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&os.ModeSocket != 0:
		return "a socket"
	case m&os.ModeDevice != 0:
		return "a device"
	}
	return "no regular file"
}
