package store_test

import (
	"testing"

	"gatehouse/internal/store/storetest"
)

// BenchmarkLookUp compares the two ways to read one row by its key: through Bun, and by QueryRow.
func BenchmarkLookUp(b *testing.B) {
	for _, kind := range []string{storetest.SQLite, storetest.Postgres} {
		db := storetest.Open(b, kind)
		withNotes(b, db)
		n := newNote("one")
		if err := insert(b.Context(), db, n); err != nil {
			b.Fatal(err)
		}
		b.Run(kind+"/Bun", func(b *testing.B) {
			for b.Loop() {
				var got note
				if err := db.Conn(b.Context()).NewSelect().Model(&got).Where("id = ?", n.ID).Scan(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(kind+"/QueryRow", func(b *testing.B) {
			for b.Loop() {
				if _, err := lookUp(b.Context(), db, n.ID); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
