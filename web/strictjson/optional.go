package strictjson

import "reflect"

// Optional is a field that may be absent. null is told apart from absence, because in a change they mean different
// things: absent leaves a field as it is, null takes it away.
type Optional[T any] struct {
	// Given: the field is there, maybe as null.
	Given bool
	// Null: it is there as null.
	Null  bool
	Value T
}

// Has reports whether there is a value.
func (o Optional[T]) Has() bool { return o.Given && !o.Null }

// Or is the value, or another if there is none.
func (o Optional[T]) Or(other T) T {
	if o.Has() {
		return o.Value
	}
	return other
}

// Elem is the type of the value, for schema generators.
func (Optional[T]) Elem() reflect.Type { return reflect.TypeFor[T]() }

// set marks the field as given and returns where its value goes.
func (o *Optional[T]) set(null bool) reflect.Value {
	o.Given, o.Null = true, null
	return reflect.ValueOf(&o.Value).Elem()
}

type optional interface {
	set(null bool) reflect.Value
}
