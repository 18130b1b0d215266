package parser

import (
	"io"
	"sync"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/format"
)

// marker is the only value TiDB's grammar ever meets here: a '?' and its offset in the text.
type marker struct {
	ast.TexprNode
	offset int
}

var (
	_ ast.ParamMarkerExpr = (*marker)(nil)
	_ ast.ValueExpr       = (*marker)(nil)
)

// installDriver gives TiDB's parser the constructors it wants for values. Its own driver would
// bring TiDB's types and panics on long numbers; no literal reaches it here.
var installDriver = sync.OnceFunc(func() {
	ast.NewParamMarkerExpr = func(offset int) ast.ParamMarkerExpr { return &marker{offset: offset} }
	ast.NewValueExpr = func(any, string, string) ast.ValueExpr { return &marker{offset: -1} }
	text := func(s string) (any, error) { return s, nil }
	ast.NewDecimal, ast.NewHexLiteral, ast.NewBitLiteral = text, text, text
})

func (m *marker) Accept(v ast.Visitor) (ast.Node, bool) { n, _ := v.Enter(m); return v.Leave(n) }
func (m *marker) Restore(*format.RestoreCtx) error      { return nil }
func (m *marker) Format(io.Writer)                      {}
func (m *marker) SetOrder(int)                          {}
func (m *marker) SetValue(any)                          {}
func (m *marker) GetValue() any                         { return nil }
func (m *marker) GetDatumString() string                { return "" }
func (m *marker) GetString() string                     { return "" }
func (m *marker) GetProjectionOffset() int              { return -1 }
func (m *marker) SetProjectionOffset(int)               {}
