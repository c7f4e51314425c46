package parquet

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"math/bits"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll/tensor"
)

// rounded keeps the first value of a column that a number could not hold.
type rounded string

func (r *rounded) keep(exact string, became float64, scale int) {
	if *r == "" {
		*r = rounded(fmt.Sprintf("%s is read as %s", exact, strconv.FormatFloat(became, 'f', scale, 64)))
	}
}

// mantissa is how many bits of a whole number F holds.
func mantissa[F tensor.Float]() int {
	if _, ok := any(F(0)).(float32); ok {
		return 24
	}
	return 53
}

// whole makes a number of an integer.
func whole[F tensor.Float](v int64, lost *rounded) F {
	u := uint64(v)
	if v < 0 {
		u = -u
	}
	if bits.Len64(u)-bits.TrailingZeros64(u) > mantissa[F]() {
		lost.keep(strconv.FormatInt(v, 10), float64(F(v)), 0)
	}
	return F(v)
}

// natural is whole for integers without a sign.
func natural[F tensor.Float](u uint64, lost *rounded) F {
	if bits.Len64(u)-bits.TrailingZeros64(u) > mantissa[F]() {
		lost.keep(strconv.FormatUint(u, 10), float64(F(u)), 0)
	}
	return F(u)
}

// digits returns the digits of a decimal, with a sign, from its integer: an int64, or
// bytes of which the first has the sign.
func digits(b []byte) string {
	if v, ok := small(b); ok {
		return strconv.FormatInt(v, 10)
	}
	v := new(big.Int).SetBytes(b)
	if b[0]&0x80 != 0 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return v.String()
}

// small is the integer of b where 64 bits hold it.
func small(b []byte) (int64, bool) {
	v, sign := int64(0), byte(0)
	if len(b) > 0 && b[0]&0x80 != 0 {
		v, sign = -1, 0xff
	}
	for len(b) > 8 {
		if b[0] != sign {
			return 0, false
		}
		b = b[1:]
	}
	if len(b) == 8 && (b[0]^sign)&0x80 != 0 {
		return 0, false
	}
	for _, c := range b {
		v = v<<8 | int64(c)
	}
	return v, true
}

// written is a decimal as people write it.
func written(digits string, scale int) string {
	if scale == 0 {
		return digits
	}
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale-len(digits)+1) + digits
	}
	return sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
}

// decimalOf rounds a decimal once, to the nearest number; lost is told where that
// number, written with as many digits, is another decimal.
func decimalOf[F tensor.Float](digits string, scale int, lost *rounded) (F, error) {
	size, sure := 64, 15
	if mantissa[F]() == 24 {
		size, sure = 32, 6
	}
	v, err := strconv.ParseFloat(digits+"e-"+strconv.Itoa(scale), size)
	if err != nil {
		return 0, fmt.Errorf("the decimal %.60s is beyond the range of float%d", written(digits, scale), size)
	}
	// Any decimal of so few digits, not too small, comes back from the number nearest
	// to it.
	if len(digits) > sure || scale > 30 {
		if exact := written(digits, scale); strconv.FormatFloat(v, 'f', scale, 64) != exact {
			lost.keep(exact, v, scale)
		}
	}
	return F(v), nil
}

// exactly is decimalOf for an integer, without text where both it and the power of
// ten are numbers of float64: their quotient is then rounded once.
func exactly[F tensor.Float](v int64, scale int, lost *rounded) (F, error) {
	const most = 1_000_000 // which has 7 digits: below it nothing is lost
	if v > -most && v < most && scale < len(tens) && mantissa[F]() == 53 {
		return F(float64(v) / tens[scale]), nil
	}
	return decimalOf[F](strconv.FormatInt(v, 10), scale, lost)
}

// tens are powers of ten that float64 holds.
var tens = func() (t [23]float64) {
	for i := range t {
		t[i], _ = strconv.ParseFloat("1e"+strconv.Itoa(i), 64)
	}
	return t
}()

// julianDay is that of 1970-01-01.
const julianDay = 2440588

// nanoseconds reads an INT96: nanoseconds of a day, and the day.
func nanoseconds(b []byte) (int64, error) {
	day, ns := int64(binary.LittleEndian.Uint32(b[8:]))-julianDay, int64(binary.LittleEndian.Uint64(b))
	const perDay, most = 86400 * 1_000_000_000, 106_751 // days of nanoseconds in an int64
	if day < -most || day > most || ns < 0 || ns >= perDay {
		return 0, fmt.Errorf("day %d, nanosecond %d is beyond the times of 64 bits", day, ns)
	}
	return day*perDay + ns, nil
}
