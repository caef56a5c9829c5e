package probe

import (
	"bytes"
	"errors"
	"io"
)

// errBodyTooLong says that a body had more bytes than may be read.
var errBodyTooLong = errors.New("body too long")

// readBody reads a body to its end, or to the limit, in a small buffer,
// and tells which of the texts it holds. An empty text is never found. Size is
// what was read of it, also with an error; errBodyTooLong means that it went on.
func readBody(body io.Reader, limit int64, texts ...string) (size int64, found []bool, err error) {
	const chunk = 32 << 10
	overlap := 0
	for _, text := range texts {
		overlap = max(overlap, len(text)-1)
	}
	found = make([]bool, len(texts))
	buffer := make([]byte, overlap+chunk)
	held := 0 // bytes of the former window that a text may have begun in
	limited := io.LimitReader(body, limit+1)
	for {
		n, err := limited.Read(buffer[held:])
		size += int64(n)
		if size > limit {
			return limit, found, errBodyTooLong
		}
		window := buffer[:held+n]
		for i, text := range texts {
			if text != "" && !found[i] {
				found[i] = bytes.Contains(window, []byte(text))
			}
		}
		if errors.Is(err, io.EOF) {
			return size, found, nil
		}
		if err != nil {
			return size, found, err
		}
		held = copy(buffer, window[len(window)-min(len(window), overlap):])
	}
}
