package engine

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
)

// ServerVersion is the PostgreSQL version that clients are told: psql and drivers pick their
// catalog queries by it.
const ServerVersion = "15.0"

// setting describes a session setting. Most exist because clients set or read them.
type setting struct {
	def      string
	report   bool                               // told to the client in ParameterStatus
	readOnly bool                               // 55P02 on SET
	check    func(value string) (string, error) // validates and normalises; nil = any text
	desc     string
}

var settings = map[string]setting{
	"application_name":                    {report: true, desc: "the client's name, shown in streamsql.sessions"},
	"bytea_output":                        {def: "hex", check: oneOf("hex")},
	"client_encoding":                     {def: "UTF8", report: true, check: checkEncoding},
	"client_min_messages":                 {def: "notice", check: oneOf("debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error")},
	"datestyle":                           {def: "ISO, MDY", report: true, check: checkDateStyle},
	"default_transaction_isolation":       {def: "read committed", check: checkIsolation},
	"default_transaction_read_only":       {def: "off", report: true, check: checkBool},
	"extra_float_digits":                  {def: "1", check: checkInt(-15, 3)},
	"idle_in_transaction_session_timeout": {def: "0", check: checkDuration, desc: "a connection that says nothing for longer in a transaction is ended; 0 = never"},
	"idle_session_timeout":                {def: "0", check: checkDuration, desc: "a connection that says nothing for longer outside of one is ended; 0 = never"},
	"in_hot_standby":                      {def: "off", report: true, readOnly: true},
	"integer_datetimes":                   {def: "on", report: true, readOnly: true},
	"intervalstyle":                       {def: "postgres", report: true, check: oneOf("postgres")},
	"is_superuser":                        {def: "on", report: true, readOnly: true},
	"jit":                                 {def: "off", check: checkBool},
	"lock_timeout":                        {def: "0", check: checkDuration, desc: "a statement that waits longer for another transaction is cancelled; 0 = never"},
	"max_identifier_length":               {def: "63", readOnly: true},
	"row_security":                        {def: "on", check: checkBool},
	"search_path":                         {def: `"$user", public`},
	"server_encoding":                     {def: "UTF8", report: true, readOnly: true},
	"server_version":                      {def: ServerVersion, report: true, readOnly: true},
	"server_version_num":                  {def: "150000", readOnly: true},
	"session_authorization":               {report: true, readOnly: true},
	"standard_conforming_strings":         {def: "on", report: true, check: oneOf("on")},
	"statement_timeout":                   {def: "0", check: checkDuration, desc: "a statement that takes longer is cancelled; 0 = never"},
	"synchronous_commit":                  {def: "on", check: oneOf("on")},
	"timezone":                            {def: "UTC", report: true, check: checkTimeZone},
	"transaction_isolation":               {def: "read committed", check: checkIsolation},
	"transaction_read_only":               {def: "off", check: checkBool},
	"tcp_keepalives_idle":                 {def: "0", check: checkInt(0, 1<<31-1)},
	"xmloption":                           {def: "content", check: oneOf("content", "document")},
	"default_table_access_method":         {def: "heap"},
	"default_tablespace":                  {},
	"check_function_bodies":               {def: "on", check: checkBool},
	"checkpoint_interval":                 {def: "auto", check: checkInterval, desc: "the epoch length of jobs created in this session: auto, or a duration"},
	"parallelism":                         {def: "0", check: checkInt(0, 256), desc: "tasks a fragment of jobs and queries started in this session; 0 = one a core"},
}

// displayName gives a setting the spelling that PostgreSQL reports.
func displayName(name string) string {
	switch name {
	case "datestyle":
		return "DateStyle"
	case "intervalstyle":
		return "IntervalStyle"
	case "timezone":
		return "TimeZone"
	}
	return name
}

// settingsStack is a session's settings: defaults, what the session set, and what SET LOCAL and
// uncommitted SETs of the current transaction changed.
type settingsStack struct {
	defaults map[string]string // after start-up parameters: what RESET returns to
	session  map[string]string
	before   map[string]string // the session's values at BEGIN, for rollback; nil outside
	local    map[string]string // SET LOCAL
	dirty    bool              // something was set since told was made
	version  int               // grows with every change
	told     map[string]string // what the client was told at the last transaction's end
}

func newSettings(startup map[string]string, user string) (*settingsStack, error) {
	s := &settingsStack{defaults: map[string]string{"session_authorization": user}, session: map[string]string{}, local: map[string]string{}}
	for k, v := range startup {
		k = strings.ToLower(k)
		switch k {
		case "user", "database", "replication", "options":
			continue
		}
		if strings.HasPrefix(k, "_pq_.") {
			continue
		}
		d, known := settings[k]
		if !known && !strings.Contains(k, ".") {
			return nil, unknownSetting(k)
		}
		if d.readOnly {
			return nil, sql.Errorf("55P02", "parameter %q cannot be changed", k)
		}
		if d.check != nil {
			var err error
			if v, err = d.check(v); err != nil {
				return nil, invalidSetting(k, v, err)
			}
		}
		s.defaults[k] = v
	}
	return s, nil
}

func unknownSetting(name string) error {
	return sql.Errorf(sql.CodeUndefinedObject, "unrecognized configuration parameter %q", name).
		WithHint("%s", didYouMean(name, slices.Collect(maps.Keys(settings))))
}

// didYouMean is the hint that names the nearest candidate, or none.
func didYouMean(name string, candidates []string) string {
	if near := connectors.Nearest(name, candidates); near != "" {
		return fmt.Sprintf("Did you mean %q?", near)
	}
	return ""
}

func invalidSetting(name, value string, err error) error {
	e := sql.Errorf(sql.CodeInvalidParameter, "invalid value for parameter %q: %q", displayName(name), value)
	e.Detail = err.Error()
	return e
}

func (s *settingsStack) get(name string) (string, bool) {
	name = strings.ToLower(name)
	for _, m := range []map[string]string{s.local, s.session, s.defaults} {
		if v, ok := m[name]; ok {
			return v, true
		}
	}
	d, ok := settings[name]
	return d.def, ok
}

// set changes a setting; local ones last until the transaction ends. It returns the value kept.
func (s *settingsStack) set(name, value string, local bool) (string, error) {
	name = strings.ToLower(name)
	d, known := settings[name]
	switch {
	case !known && !strings.Contains(name, "."):
		return "", unknownSetting(name)
	case d.readOnly:
		return "", sql.Errorf("55P02", "parameter %q cannot be changed", displayName(name))
	case d.check != nil:
		v, err := d.check(value)
		if err != nil {
			return "", invalidSetting(name, value, err)
		}
		value = v
	}
	s.dirty = true
	s.version++
	if local {
		s.local[name] = value
	} else {
		s.session[name] = value
		delete(s.local, name)
	}
	return value, nil
}

func (s *settingsStack) reset(name string) error {
	s.dirty = true
	s.version++
	if name == "all" {
		clear(s.session)
		return nil
	}
	if d, known := settings[name]; !known && !strings.Contains(name, ".") {
		return unknownSetting(name)
	} else if d.readOnly {
		return sql.Errorf("55P02", "parameter %q cannot be changed", displayName(name))
	}
	delete(s.session, name)
	return nil
}

func (s *settingsStack) begin() { s.before = maps.Clone(s.session) }

func (s *settingsStack) end(commit bool) {
	if !commit && s.before != nil {
		s.session = s.before
		s.dirty = true
		s.version++
	}
	if len(s.local) > 0 {
		s.dirty = true
		s.version++
	}
	s.before = nil
	clear(s.local)
}

// changedReported tells whether a reported setting differs from what the client was last told.
func (s *settingsStack) changedReported() bool {
	if !s.dirty {
		return false
	}
	s.dirty = false
	now := s.reported()
	changed := !maps.Equal(now, s.told)
	s.told = now
	return changed
}

func (s *settingsStack) reported() map[string]string {
	out := map[string]string{}
	for name, d := range settings {
		if d.report {
			v, _ := s.get(name)
			out[displayName(name)] = v
		}
	}
	return out
}

func (s *settingsStack) duration(name string) time.Duration {
	v, _ := s.get(name)
	if v == "0" { // nearly always, and this is asked for every statement
		return 0
	}
	d, _ := parseDuration(v)
	return d
}

func (s *settingsStack) location() *time.Location {
	v, _ := s.get("timezone")
	loc, err := sql.SessionZone(v)
	if err != nil {
		return time.UTC // checked when it was set
	}
	return loc
}

// searchPath is the schemas of search_path, "$user" left out.
func (s *settingsStack) searchPath() []string {
	v, _ := s.get("search_path")
	var out []string
	for _, part := range strings.Split(v, ",") {
		part = strings.TrimSpace(part)
		if q, ok := strings.CutPrefix(part, `"`); ok {
			part = strings.ReplaceAll(strings.TrimSuffix(q, `"`), `""`, `"`)
		} else {
			part = strings.ToLower(part)
		}
		if part != "" && part != "$user" {
			out = append(out, part)
		}
	}
	return out
}

func oneOf(allowed ...string) func(string) (string, error) {
	return func(v string) (string, error) {
		for _, a := range allowed {
			if strings.EqualFold(a, strings.TrimSpace(v)) {
				return a, nil
			}
		}
		return v, fmt.Errorf("Available values: %s.", strings.Join(allowed, ", ")) //nolint:staticcheck // a DETAIL is a sentence
	}
}

func checkBool(v string) (string, error) {
	switch strings.ToLower(v) {
	case "on", "true", "yes", "1", "t", "y":
		return "on", nil
	case "off", "false", "no", "0", "f", "n":
		return "off", nil
	}
	return v, fmt.Errorf("A Boolean value is needed.") //nolint:staticcheck // a DETAIL is a sentence
}

func checkInt(lo, hi int) func(string) (string, error) {
	return func(v string) (string, error) {
		n, err := strconv.Atoi(strings.TrimSpace(v))
		if err != nil || n < lo || n > hi {
			return v, fmt.Errorf("Valid values are from %d to %d.", lo, hi) //nolint:staticcheck // a DETAIL is a sentence
		}
		return strconv.Itoa(n), nil
	}
}

func checkEncoding(v string) (string, error) {
	switch strings.ToLower(strings.Trim(v, "'\" ")) {
	case "utf8", "utf-8", "unicode":
		return "UTF8", nil
	case "sql_ascii":
		return "SQL_ASCII", nil
	}
	return v, fmt.Errorf("Only UTF8 is supported.") //nolint:staticcheck // a DETAIL is a sentence
}

func checkDateStyle(v string) (string, error) {
	if !strings.HasPrefix(strings.ToLower(strings.TrimSpace(v)), "iso") {
		return v, fmt.Errorf("Only ISO is supported.") //nolint:staticcheck // a DETAIL is a sentence
	}
	return "ISO, MDY", nil
}

func checkIsolation(v string) (string, error) {
	return oneOf("read committed", "repeatable read", "serializable", "read uncommitted")(v)
}

func checkTimeZone(v string) (string, error) {
	v = strings.Trim(v, "'")
	if strings.EqualFold(v, "default") || strings.EqualFold(v, "local") {
		return "UTC", nil
	}
	if _, err := sql.SessionZone(v); err != nil {
		return v, fmt.Errorf("The time zone is not known.") //nolint:staticcheck // a DETAIL is a sentence
	}
	return v, nil
}

func checkDuration(v string) (string, error) {
	if _, err := parseDuration(v); err != nil {
		return v, err
	}
	return v, nil
}

func checkInterval(v string) (string, error) {
	if strings.EqualFold(v, "auto") {
		return "auto", nil
	}
	d, err := parseDuration(v)
	if err == nil && (d < time.Millisecond || d > time.Hour) {
		err = fmt.Errorf("Valid values are auto and from 1ms to 1h.") //nolint:staticcheck // a DETAIL is a sentence
	}
	return v, err
}

// parseDuration reads a timeout as PostgreSQL does: milliseconds, or a number with ms, s, min, h, d.
func parseDuration(v string) (time.Duration, error) {
	v = strings.TrimSpace(strings.Trim(strings.TrimSpace(v), "'"))
	i := len(v)
	for i > 0 && (v[i-1] < '0' || v[i-1] > '9') && v[i-1] != '.' {
		i--
	}
	n, err := strconv.ParseFloat(v[:i], 64)
	unit, ok := map[string]time.Duration{"": time.Millisecond, "ms": time.Millisecond, "us": time.Microsecond,
		"s": time.Second, "min": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[strings.TrimSpace(v[i:])]
	if err != nil || !ok || n < 0 {
		return 0, fmt.Errorf(`Valid units for this parameter are "us", "ms", "s", "min", "h", and "d".`) //nolint:staticcheck // a DETAIL is a sentence
	}
	return time.Duration(n * float64(unit)), nil
}
