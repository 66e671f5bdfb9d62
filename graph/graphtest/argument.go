package graphtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// writing is an operation being written.
type writing struct {
	*matrix
	style     string
	defined   []string // variables, with their types
	variables map[string]any
}

// whose is an id in the arguments of a field, and the type it has there.
type whose struct {
	id  string
	typ string
}

// arguments writes the arguments of a hop: those that there have to be, and those that its owner rules name.
func (w *writing) arguments(h hop) string {
	account := eve.String()
	if h.mine {
		account = ada.String()
	}
	given := map[string]any{}
	for _, a := range h.field.Arguments {
		if a.Type.NonNull && a.DefaultValue == nil {
			given[a.Name] = w.anything(a.Type)
		}
	}
	for _, b := range h.binds {
		path, ok := strings.CutPrefix(b.text("owner"), "args.")
		if !ok {
			continue
		}
		names := strings.Split(path, ".")
		into, typ := given, h.field.Arguments.ForName(names[0]).Type
		for _, name := range names[1:] {
			inner, _ := into[names[0]].(map[string]any)
			if inner == nil {
				inner, _ = w.anything(typ).(map[string]any)
			}
			into[names[0]] = inner
			into, typ = inner, w.schema.Types[typ.Name()].Fields.ForName(name).Type
			names = names[1:]
		}
		into[names[0]] = whose{account, typ.Name()}
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		list = append(list, name+": "+w.argument(h.field.Arguments.ForName(name), given[name]))
	}
	if len(list) == 0 {
		return ""
	}
	return "(" + strings.Join(list, ", ") + ")"
}

// argument writes one argument in the style.
func (w *writing) argument(def *ast.ArgumentDefinition, value any) string {
	switch w.style {
	case "variables":
		return w.variable(def.Type.String(), "", plain(value))
	case "variables' defaults":
		return w.variable(def.Type.String(), w.literal(value), nil)
	default:
		return w.literal(value)
	}
}

// variable defines a variable, with a default or with a value, and returns it.
func (w *writing) variable(typ, byDefault string, value any) string {
	name := fmt.Sprintf("a%d", len(w.defined))
	defined := "$" + name + ": " + typ
	if byDefault != "" {
		defined += " = " + byDefault
	} else {
		w.variables[name] = value
	}
	w.defined = append(w.defined, defined)
	return "$" + name
}

// literal writes a value.
func (w *writing) literal(value any) string {
	switch v := value.(type) {
	case whose:
		switch w.style {
		case "variables inside":
			return w.variable(v.typ+"!", "", v.id)
		case "variables' defaults inside":
			return w.variable(v.typ+"!", `"`+v.id+`"`, nil)
		}
		return `"` + v.id + `"`
	case map[string]any:
		var fields []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			fields = append(fields, name+": "+w.literal(v[name]))
		}
		return "{" + strings.Join(fields, ", ") + "}"
	case []any:
		return "[]"
	case symbol:
		return string(v)
	case string:
		return `"` + v + `"`
	default:
		return fmt.Sprint(v)
	}
}

// symbol is a value of an enum.
type symbol string

// plain returns the value as JSON has it.
func plain(value any) any {
	switch v := value.(type) {
	case whose:
		return v.id
	case symbol:
		return string(v)
	case map[string]any:
		object := map[string]any{}
		for name, inner := range v {
			object[name] = plain(inner)
		}
		return object
	default:
		return value
	}
}

// anything returns some value of a type.
func (w *writing) anything(typ *ast.Type) any {
	if typ.Elem != nil {
		return []any{}
	}
	switch def := w.schema.Types[typ.Name()]; {
	case def.Kind == ast.InputObject:
		object := map[string]any{}
		for _, f := range def.Fields {
			if f.Type.NonNull && f.DefaultValue == nil {
				object[f.Name] = w.anything(f.Type)
			}
		}
		return object
	case def.Kind == ast.Enum:
		return symbol(def.EnumValues[0].Name)
	case def.Name == "Int", def.Name == "Float":
		return json.Number("1")
	case def.Name == "Boolean":
		return true
	default:
		return "anything"
	}
}
