package expr

import (
	"github.com/streamsql/streamsql/sql"
)

// textOperators are || over text and bytea, and LIKE and ILIKE under their operator names.
func textOperators() []Function {
	text, char, bytea := sql.TypeText, sql.Type{Kind: sql.Char}, sql.TypeBytea
	fns := []Function{
		{Name: "||", Args: []sql.Type{text, text}, Result: text, Kernel: Append2(concat[string])},
		{Name: "||", Args: []sql.Type{bytea, bytea}, Result: bytea, Kernel: Append2(concat[[]byte])},
		{Name: "||", Args: []sql.Type{text, AnyNonArray}, Result: text, passAs: []sql.Type{text, text}, Kernel: Append2(concat[string])},
		{Name: "||", Args: []sql.Type{AnyNonArray, text}, Result: text, passAs: []sql.Type{text, text}, Kernel: Append2(concat[string])},
		{Name: "like_escape", Args: []sql.Type{text, text}, Result: text, Kernel: Append2(likeEscape)},
		{Name: "like_escape", Args: []sql.Type{bytea, bytea}, Result: bytea, Kernel: Append2(likeEscapeBytes)},
	}
	for _, t := range []sql.Type{text, char, sql.TypeName, bytea} {
		pattern := text
		if t.Kind == sql.Bytea {
			pattern = bytea
		}
		args := []sql.Type{t, pattern}
		fns = append(fns,
			Function{Name: "~~", Args: args, Result: sql.TypeBool, Kernel: likeKernel(false, true)},
			Function{Name: "!~~", Args: args, Result: sql.TypeBool, Kernel: likeKernel(false, false)})
		if t.Kind != sql.Bytea {
			fns = append(fns,
				Function{Name: "~~*", Args: args, Result: sql.TypeBool, Kernel: likeKernel(true, true)},
				Function{Name: "!~~*", Args: args, Result: sql.TypeBool, Kernel: likeKernel(true, false)})
		}
	}
	return fns
}

func concat[T string | []byte](_ *Context, dst []byte, a, b T) ([]byte, error) {
	return append(append(dst, a...), b...), nil
}
