package torchfile

import (
	"fmt"
	"strings"
)

// A pickle names classes and functions, and Python would import and call them.
// Here a name is only text. What it may be:
//
//   - a name of Python's standard library that stands for data or arithmetic
//     (stdData, stdDataModules): accepted;
//   - anything else of the standard library, whose parts can delete a disk: the
//     file is refused, as nobody saves that beside weights, and whoever opens it
//     elsewhere should know;
//   - a class or function of any other package: kept as text. What calls it in
//     the pickle becomes an object that holds the name and the arguments; the
//     calls in calls.go, which only put data together, are interpreted.

// global pushes the name if it may stand in a checkpoint.
func (m *machine) global(module, name string) {
	g, err := newGlobal(module, name)
	if err != nil {
		m.err = firstError(m.err, err)
		return
	}
	m.made(g, 2*headBytes+len(module)+len(name))
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
	case "__builtin__", "exceptions":
		module = "builtins"
	case "copy_reg":
		module = "copyreg"
	}
	if module == "builtins" && name == "xrange" {
		name = "range"
	}
	g := &global{module, name}
	if isStandard(module) {
		if !stdData[g.String()] && !stdDataModules[module] && !isException(g) {
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

// isException reports whether a name is a built-in exception's.
func isException(g *global) bool {
	for _, end := range []string{"Error", "Exception", "Warning", "Interrupt", "Iteration"} {
		if g.module == "builtins" && strings.HasSuffix(g.name, end) && !strings.Contains(g.name, ".") {
			return true
		}
	}
	return false
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
	random.Random re._compile re.Pattern types.SimpleNamespace uuid.UUID
	_operator.getitem builtins.abs builtins.len builtins.max builtins.min
	builtins.pow builtins.reversed builtins.round builtins.sorted builtins.sum
	builtins.enumerate builtins.zip builtins.map builtins.filter builtins.iter
	builtins.memoryview builtins.property builtins.staticmethod
	builtins.classmethod builtins.super array._array_reconstructor
	time.struct_time time.time time.perf_counter threading.Lock
	_thread.lock os.PathLike posix.stat_result`)

// stdDataModules hold nothing but data types and functions of their arguments.
var stdDataModules = words(`
	_bisect _collections _collections_abc _datetime _decimal _heapq _random
	_statistics _struct abc bisect calendar cmath collections
	collections.abc colorsys copy dataclasses datetime decimal enum fractions
	functools heapq ipaddress itertools math numbers pathlib pathlib._local
	random statistics string struct types typing weakref zoneinfo`)

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
