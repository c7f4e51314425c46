package torchfile

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A pickle names classes and functions, and Python would import and call them.
// Here a name is only text. What it may be:
//
//   - a data type of Python's standard library (stdData): accepted;
//   - anything else of the standard library, whose parts can delete a disk: the
//     file is refused, as it was not made to be read as data;
//   - a class or function of any other package: kept as text. Making an object
//     of a class keeps the object as data; calling a function refuses the file,
//     except for the table in calls.go, since its result cannot be known.

// global pushes the name if it may stand in a checkpoint.
func (m *machine) global(module, name string) {
	g, err := newGlobal(module, name)
	if err != nil {
		m.err = firstError(m.err, err)
		return
	}
	m.push(g)
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// newGlobal checks a name and gives Python 2's modules their later names.
func newGlobal(module, name string) (*global, error) {
	if len(module)+len(name) > maxLine || module == "" || name == "" {
		return nil, fmt.Errorf("%.40q and %.40q are no module and name", module, name)
	}
	switch module {
	case "__builtin__":
		module = "builtins"
	case "copy_reg":
		module = "copyreg"
	}
	g := &global{module, name}
	if isStandard(module) {
		if !stdData[g.String()] && !stdDataModules[module] {
			return nil, fmt.Errorf("the file names %.80q, which is code of Python's standard library; a checkpoint is read as data and nothing in it is called", g)
		}
		return g, nil
	}
	// The parts before the last can lead through an imported module:
	// "torch" and "os.system".
	if parts := strings.Split(name, "."); len(parts) > 1 {
		for _, p := range parts[:len(parts)-1] {
			if standard[strings.TrimLeft(p, "_")] {
				return nil, fmt.Errorf("the file names %.80q, which leads to Python's standard library; a checkpoint is read as data and nothing in it is called", g)
			}
		}
	}
	return g, nil
}

// isStandard reports whether a module is of Python's standard library. What
// begins with an underscore is taken for an inner part of it.
func isStandard(module string) bool {
	root, _, _ := strings.Cut(module, ".")
	return standard[root] || strings.HasPrefix(root, "_") && root != "__main__" && root != "__torch__"
}

// isClass reports whether a name is a class's by Python's convention: its last
// part begins with a capital letter, underscores aside.
func (g *global) isClass() bool {
	last := g.name[strings.LastIndexByte(g.name, '.')+1:]
	r, _ := utf8.DecodeRuneInString(strings.TrimLeft(last, "_"))
	return unicode.IsUpper(r)
}

func words(s ...string) map[string]bool {
	all := make(map[string]bool)
	for _, s := range s {
		for _, w := range strings.Fields(s) {
			all[w] = true
		}
	}
	return all
}

// stdData are the names of the standard library that stand for data. Those
// without an entry in the table of calls become opaque objects when called.
var stdData = words(`
	builtins.bool builtins.bytearray builtins.bytes builtins.complex
	builtins.dict builtins.float builtins.frozenset builtins.getattr
	builtins.int builtins.list builtins.object builtins.range builtins.set
	builtins.slice builtins.str builtins.tuple builtins.type builtins.unicode
	builtins.long builtins.NoneType builtins.Ellipsis builtins.NotImplemented
	argparse.Namespace array.array _codecs.encode
	collections.Counter collections.OrderedDict collections.defaultdict
	collections.deque copyreg._reconstructor decimal.Decimal
	fractions.Fraction functools.partial logging.Logger logging.getLogger
	random.Random types.SimpleNamespace uuid.UUID _operator.getitem`)

// stdDataModules hold nothing but data types.
var stdDataModules = words("datetime pathlib typing ipaddress zoneinfo")

// standard are the modules of Python's standard library, 2.7 to 3.14, and its
// installers.
var standard = words(`
	Bastion ConfigParser Queue SocketServer StringIO Tkinter UserDict abc
	aifc annotationlib anydbm argparse array ast asynchat asyncio asyncore
	atexit audioop base64 bdb binascii binhex bisect builtins bz2 cPickle
	cProfile cStringIO calendar ce cgi cgitb chunk cmath cmd code codecs
	codeop collections colorsys commands compileall compiler compression
	concurrent configparser contextlib contextvars copy copyreg crypt csv
	ctypes curses dataclasses datetime dbhash dbm decimal difflib dis
	distutils dl doctest email encodings ensurepip enum errno exceptions
	faulthandler fcntl filecmp fileinput fnmatch formatter fractions ftplib
	functools gc gdbm genericpath getopt getpass gettext glob graphlib grp
	gzip hashlib heapq hmac html http httplib idlelib ihooks imaplib imghdr
	imp importlib imputil inspect interpreters io ipaddress itertools json
	keyword lib2to3 linecache locale logging lzma mac macpath macurl2path
	mailbox mailcap marshal math md5 mimetypes mmap modulefinder msilib
	msvcrt multiprocessing netrc new nis nntplib nt ntpath nturl2path
	numbers opcode operator optparse os os2 ossaudiodev parser pathlib pdb
	pickle pickletools pip pipes pkg_resources pkgutil platform plistlib
	popen2 poplib posix posixpath pprint profile pstats pty pwd py_compile
	pyclbr pydoc pydoc_data pyexpat queue quopri random re readline reprlib
	resource rexec riscos rlcompleter runpy sched secrets select selectors
	sets setuptools sha shelve shlex shutil signal site smtpd smtplib sndhdr
	socket socketserver spwd sqlite3 sre_compile sre_constants sre_parse ssl
	stat statistics statvfs string stringprep struct subprocess sunau symbol
	symtable sys sysconfig syslog tabnanny tarfile telnetlib tempfile
	termios textwrap thread threading time timeit tkinter token tokenize
	tomllib trace traceback tracemalloc tty turtle turtledemo types typing
	unicodedata unittest urllib urllib2 urlparse user uu uuid venv warnings
	wave weakref webbrowser whichdb winreg winsound wsgiref xdrlib xml
	xmlrpc zipapp zipfile zipimport zlib zoneinfo`)
