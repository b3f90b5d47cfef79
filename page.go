package busbar

// MaxPageSize and DefaultPageSize bound how many items one page of a list has.
const (
	MaxPageSize     = 200
	DefaultPageSize = 50
)

// PageRequest asks for a part of a list, newest first.
type PageRequest struct {
	// Limit is from 1 to MaxPageSize.
	Limit int
	// Cursor is Page.NextCursor of the page before; empty for the first.
	Cursor string
}

// Page is a part of a list.
type Page[T any] struct {
	Items []T
	// NextCursor is empty on the last page.
	NextCursor string
}

// WrongCursor is the error for a cursor that the list which is asked for did not give.
func WrongCursor() *Error {
	return Invalid("cursor", "invalid", "is none that this list gave with these filters; start again without it")
}
