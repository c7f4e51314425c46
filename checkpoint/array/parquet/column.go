package parquet

import (
	"fmt"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// class is what the values of a column are.
type class int

const (
	other   class = iota // nested, or of a type that is not read
	boolean              // bits
	integer              // of 4 or 8 bytes
	half
	single
	double
	decimal // an integer over a power of ten
	moment  // a time or a date: the integer that the file has, of the unit that it says
	julian  // INT96, of old writers: a day and its nanoseconds
	text
)

// column is what the schema says of a column.
type column struct {
	*parquet.Column
	class class
	// width is how many bytes a value has where values stand one after another; 0: it
	// has a length of its own before it, or is a bit.
	width    int
	unsigned bool
	scale    int // of a decimal
}

// maxDecimal is the width of the widest decimal that writers have, of 76 digits.
const maxDecimal = 32

// columnsOf describes the columns of a file, in its order.
func columnsOf(f *parquet.File) (list []column) {
	var leaves []format.SchemaElement
	for _, e := range f.Metadata().Schema {
		if e.Type.Valid {
			leaves = append(leaves, e)
		}
	}
	for _, c := range f.Root().Columns() {
		d := column{Column: c}
		if c.Leaf() && !c.Repeated() && c.Index() < len(leaves) {
			d.class = d.classOf(leaves[c.Index()].LogicalType.Value)
		}
		list = append(list, d)
	}
	return list
}

// classOf finds the class, and what goes with it. The library tells what old writers
// said in another way; of halves it knows nothing, so the footer's own word is asked.
func (c *column) classOf(said any) class {
	kind := c.Type().Kind()
	c.width = map[parquet.Kind]int{parquet.Int32: 4, parquet.Int64: 8, parquet.Int96: 12, parquet.Float: 4, parquet.Double: 8}[kind]
	if kind == parquet.FixedLenByteArray {
		c.width = c.Type().Length()
	}
	var logical any
	if l := c.Type().LogicalType(); l != nil {
		logical = l.Value
	}
	switch l := logical.(type) {
	case *format.DecimalType:
		if c.scale = int(l.Scale); c.scale < 0 || c.scale > 100 || c.width > maxDecimal || kind == parquet.FixedLenByteArray && c.width < 1 {
			return other
		}
		return decimal
	case *format.IntType:
		c.unsigned = !l.IsSigned
		return integer
	case *format.TimestampType, *format.DateType, *format.TimeType:
		return moment
	}
	if _, is := said.(*format.Float16Type); is && c.width == 2 {
		return half
	}
	switch kind {
	case parquet.Boolean:
		return boolean
	case parquet.Int32, parquet.Int64:
		return integer
	case parquet.Int96:
		return julian
	case parquet.Float:
		return single
	case parquet.Double:
		return double
	case parquet.ByteArray:
		return text
	}
	return other
}

// counts reports whether a decimal is a whole number that 64 bits hold.
func (c *column) counts() bool {
	l, is := c.Type().LogicalType().Value.(*format.DecimalType)
	return is && c.scale == 0 && l.Precision <= 18 && c.width > 0
}

// says is what a column holds, in words for a reader of errors.
func (c *column) says() string {
	if c.Leaf() && !c.Repeated() {
		return c.Type().String()
	}
	if l := c.Type().LogicalType(); l != nil {
		switch l.Value.(type) {
		case *format.ListType:
			return "a list"
		case *format.MapType:
			return "a map"
		}
	}
	if c.Leaf() {
		return "a list"
	}
	return "a struct"
}

// advice is what to do about a column that is not read.
func (c *column) advice() string {
	if c.isTime() {
		return "name it if its numbers are wanted, or choose others by name"
	}
	if c.Leaf() && !c.Repeated() {
		return "choose others by name"
	}
	return "write its parts as columns of their own, or choose others by name"
}

// isTime reports whether values count from a moment.
func (c *column) isTime() bool { return c.class == moment || c.class == julian }

// time says what the numbers of a time count.
func (c *column) time() string {
	if c.class == julian {
		return "nanoseconds since 1970"
	}
	switch l := c.Type().LogicalType().Value.(type) {
	case *format.DateType:
		return "days since 1970"
	case *format.TimestampType:
		return fmt.Sprintf("%s since 1970", units[l.Unit.String()])
	case *format.TimeType:
		return fmt.Sprintf("%s since midnight", units[l.Unit.String()])
	}
	return c.says()
}

var units = map[string]string{"MILLIS": "milliseconds", "MICROS": "microseconds", "NANOS": "nanoseconds"}
