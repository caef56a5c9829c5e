// Package dashboards shows: Grafana boards as committed JSON, and the files
// that provision them.
//
// The boards are plain files that any Grafana from 11 on loads; nothing here
// draws, asks or runs. They name only series of the treaty in package rules,
// and the tests of this room hold them to it.
package dashboards

import (
	"embed"
	"io/fs"
)

//go:embed shop.json provisioning
var files embed.FS

// Files are what Grafana is given: shop.json, the board, and below
// provisioning/ the data source and the provider of boards, laid out as in
// /etc/grafana/provisioning.
func Files() fs.FS { return files }
