package store

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"busbar"
)

// position is where a page ends: the sort keys of its last row.
type position struct {
	at int64
	id string
}

// encode makes a cursor that clients hand back unread.
func (p position) encode() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(p.at, 36) + "." + p.id))
}

func decodeCursor(cursor string) (position, error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		if at, id, ok := strings.Cut(string(raw), "."); ok {
			if n, perr := strconv.ParseInt(at, 36, 64); perr == nil && id != "" {
				return position{n, id}, nil
			}
		}
	}
	return position{}, busbar.WrongCursor()
}

// page runs a query newest first by (at, id) and cuts it to a page. The row type tells its own position.
func page[R any, T any](q *gorm.DB, req busbar.PageRequest, at string, pos func(*R) position, toDomain func(*R) (T, error)) (busbar.Page[T], error) {
	none := busbar.Page[T]{}
	if req.Limit < 1 || req.Limit > busbar.MaxPageSize {
		return none, busbar.Invalid("limit", "out_of_range", "must be from 1 to %d", busbar.MaxPageSize)
	}
	if req.Cursor != "" {
		p, err := decodeCursor(req.Cursor)
		if err != nil {
			return none, err
		}
		q = q.Where(fmt.Sprintf("(%s, id) < (?, ?)", at), p.at, p.id)
	}
	var rows []R
	if err := q.Order(at + " DESC, id DESC").Limit(req.Limit + 1).Find(&rows).Error; err != nil {
		return none, translate(err)
	}
	out := busbar.Page[T]{Items: make([]T, 0, min(len(rows), req.Limit))}
	for i := range rows {
		if i == req.Limit {
			out.NextCursor = pos(&rows[i-1]).encode()
			break
		}
		item, err := toDomain(&rows[i])
		if err != nil {
			return none, err
		}
		out.Items = append(out.Items, item)
	}
	return out, nil
}
