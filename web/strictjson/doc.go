// Package strictjson reads JSON requests and refuses whatever it would otherwise have to guess about: unknown fields,
// wrong types, duplicate keys, trailing data, invalid Unicode. Every problem is named by its place.
package strictjson
