package expr

import (
	"fmt"
	"strings"
)

// numberPrinter walks a number template and a number's digits side by side. What it does at each
// step is fixed by a long tradition (Oracle's, then PostgreSQL's), not by a rule.
type numberPrinter struct {
	*numberTemplate
	number    string // digits with a point
	rest      string // of number
	negative  bool
	spaces    int // positions before the first digit
	count     int // positions in all
	current   int // position
	signDone  bool
	inNumber  bool
	lastDigit int // index in number of the last digit that FM shows; -1 = all
	ended     bool
	out       []byte
}

// print prints a number of which spaces positions are empty in front.
func (t *numberTemplate) print(number string, negative bool, spaces int) string {
	p := &numberPrinter{numberTemplate: t, number: number, rest: number, negative: negative, spaces: spaces, lastDigit: -1}
	p.prepare()
	for _, n := range t.nodes {
		if p.ended {
			break
		}
		if n.key == "" {
			p.out = append(p.out, n.text...)
			continue
		}
		p.node(n)
	}
	return string(p.out)
}

func (p *numberPrinter) prepare() {
	if p.roman {
		return
	}
	if p.plus || p.minus {
		p.signDone = p.minus
	} else {
		if !p.negative && p.fill {
			p.bracket = false
		}
		p.signDone = !p.negative && p.fill && !p.hasSign
		if p.locale == signBefore && p.pre == p.signPre {
			p.locale = signAfter
		}
	}
	p.count = p.post + p.pre - 1
	if p.fill && p.decimal {
		p.lastDigit = lastRelevant(p.number)
		if p.lastDigit >= 0 && p.zeroEnd > p.spaces {
			last := min(len(p.number)-1, p.zeroEnd-p.spaces)
			p.lastDigit = max(p.lastDigit, last)
		}
	}
	if !p.signDone && p.spaces == 0 {
		p.count++
	}
}

// lastRelevant is the index of the last digit after the point that is not 0, or of the point.
func lastRelevant(number string) int {
	point := strings.IndexByte(number, '.')
	if point < 0 {
		return -1
	}
	last := point
	for i := point + 1; i < len(number); i++ {
		if number[i] != '0' {
			last = i
		}
	}
	return last
}

func (p *numberPrinter) put(s string) { p.out = append(p.out, s...) }

// blank writes a space where something else might stand, unless FM.
func (p *numberPrinter) blank() {
	if !p.fill {
		p.put(" ")
	}
}

func (p *numberPrinter) signText(positive string) string {
	if p.negative {
		return "-"
	}
	return positive
}

func (p *numberPrinter) node(n templateNode) {
	key := strings.ToUpper(n.key)
	switch key {
	case "9", "0", ".", "D":
		p.digit(key)
	case ",", "G":
		if p.inNumber {
			p.put(",")
		} else {
			p.blank()
		}
	case "L":
		p.put(" ")
	case "RN":
		text := p.number
		if n.key == "rn" {
			text = strings.ToLower(text)
		}
		if p.fill {
			p.put(text)
		} else {
			p.out = fmt.Appendf(p.out, "%15s", text)
		}
	case "TH":
		if !p.roman && p.number[0] != '#' && !p.negative && !p.decimal {
			p.put(ordinalSuffix(p.number, n.key))
		}
	case "MI":
		if p.negative {
			p.put("-")
		} else {
			p.blank()
		}
	case "PL":
		if !p.negative {
			p.put("+")
		} else {
			p.blank()
		}
	case "SG":
		p.put(p.signText("+"))
	}
}

// leadingZero tells whether the number is 0.something, of which the template need not show the 0.
func (p *numberPrinter) leadingZero() bool {
	return !p.zero && len(p.rest) == len(p.number) && strings.HasPrefix(p.number, "0") && p.post != 0
}

// onlyPoint tells whether FM leaves nothing after the point.
func (p *numberPrinter) onlyPoint() bool { return p.lastDigit >= 0 && p.number[p.lastDigit] == '.' }

func (p *numberPrinter) digit(key string) {
	if p.roman {
		return
	}
	p.inNumber = false
	started := p.current >= p.spaces || p.zero && p.zeroStart-1 == p.current
	if !p.signDone && started && (!p.leadingZero() || p.onlyPoint()) {
		p.writeSign()
	}
	switch {
	case p.current < p.spaces && (p.zeroStart-1 > p.current || !p.zero):
		p.blank()
	case p.zero && p.current < p.spaces && p.zeroStart-1 <= p.current:
		p.put("0")
		p.inNumber = true
	default:
		p.numberDigit(key)
	}
	end := p.count
	if p.spaces > 0 {
		end++
	}
	if p.decimal {
		end++
	}
	if p.lastDigit >= 0 && p.lastDigit == len(p.number)-len(p.rest) {
		end = p.current
	}
	if p.current+1 == end {
		if p.signDone && p.bracket {
			if p.negative {
				p.put(">")
			} else {
				p.put(" ")
			}
		} else if p.hasSign && p.locale == signAfter {
			p.put(p.signText("+"))
		}
	}
	p.current++
}

func (p *numberPrinter) writeSign() {
	switch {
	case p.hasSign:
		if p.locale == signBefore {
			p.put(p.signText("+"))
			p.signDone = true
		}
	case p.bracket:
		if p.negative {
			p.put("<")
		} else {
			p.put(" ")
		}
		p.signDone = true
	case p.negative:
		p.put("-")
		p.signDone = true
	default:
		p.blank()
		p.signDone = true
	}
}

// numberDigit writes the next character of the number.
func (p *numberPrinter) numberDigit(key string) {
	at := len(p.number) - len(p.rest)
	switch {
	case strings.HasPrefix(p.rest, "."):
		if p.lastDigit < 0 || !p.onlyPoint() || p.fill {
			p.put(".")
		}
	case p.lastDigit >= 0 && at > p.lastDigit && key != "0":
	case p.leadingZero():
		if !p.fill {
			p.put(" ")
		} else if p.onlyPoint() {
			p.put("0")
		}
	case p.rest != "":
		p.put(p.rest[:1])
		p.inNumber = true
	default: // a point without digits after it ends the text, whatever the template has left
		p.ended = true
	}
	if p.rest != "" {
		p.rest = p.rest[1:]
	}
}
