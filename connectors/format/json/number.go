package json

// maxExact is how many decimal digits always fit a uint64.
const maxExact = 19

// number reads a JSON number: its value is ±mant·10^exp, where mant is exact when digits is at most
// maxExact and else meaningless; the sign is whether s[i] is '-'. A negative end is -(1 + the index
// of the byte that is wrong).
func number(s []byte, i int) (mant uint64, exp, digits, end int) {
	if i < len(s) && s[i] == '-' {
		i++
	}
	first := i
	for i < len(s) && s[i]-'0' <= 9 {
		mant = mant*10 + uint64(s[i]-'0')
		i++
	}
	digits = i - first
	if digits == 0 {
		return 0, 0, 0, -i - 1
	}
	if digits > 1 && s[first] == '0' {
		return 0, 0, 0, -first - 2
	}
	if i < len(s) && s[i] == '.' {
		i++
		first = i
		for i < len(s) && s[i]-'0' <= 9 {
			mant = mant*10 + uint64(s[i]-'0')
			i++
		}
		if exp = first - i; exp == 0 {
			return 0, 0, 0, -i - 1
		}
		digits -= exp
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		var e int
		if e, i = exponent(s, i+1); i >= 0 {
			exp += e
		}
	}
	return mant, exp, digits, i
}

// exponent reads what follows the e. It is cut off at a million, where every type overflows.
func exponent(s []byte, i int) (e, end int) {
	neg := false
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		neg = s[i] == '-'
		i++
	}
	first := i
	for i < len(s) && s[i]-'0' <= 9 {
		e = min(e*10+int(s[i]-'0'), 1_000_000)
		i++
	}
	if i == first {
		return 0, -i - 1
	}
	if neg {
		e = -e
	}
	return e, i
}

// pow10 are the powers of ten that fit a uint64.
var pow10 = func() (p [maxExact + 1]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()
