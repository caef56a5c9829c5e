package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"shopwatch/internal/configfile"
)

// eachFile visits every path of a file below a value that was decoded by
// blackbox_exporter's types, with the place where it stands. Visit may change it.
func eachFile(path string, value reflect.Value, visit func(path string, file *string)) {
	switch value.Kind() {
	case reflect.Pointer:
		if !value.IsNil() && value.Elem().Kind() == reflect.Struct {
			eachFile(path, value.Elem(), visit)
		}
	case reflect.Map: // of structs that hold files by slices, which are shared with the copy
		for _, key := range value.MapKeys() {
			if key.Kind() == reflect.String {
				eachFile(configfile.Field(path, key.String()), value.MapIndex(key), visit)
			}
		}
	case reflect.Slice:
		if value.Type().Elem().Kind() == reflect.Struct {
			for i := range value.Len() {
				eachFile(configfile.Item(path, i), value.Index(i), visit)
			}
		}
	case reflect.Struct:
		for i := range value.NumField() {
			eachFileOfField(path, value.Type().Field(i), value.Field(i), visit)
		}
	}
}

func eachFileOfField(path string, field reflect.StructField, value reflect.Value, visit func(path string, file *string)) {
	name, options, tagged := strings.Cut(field.Tag.Get("yaml"), ",")
	at := configfile.Field(path, name)
	switch {
	case !field.IsExported() || !tagged && name == "":
	case strings.Contains(options, "inline"):
		eachFile(path, value, visit)
	case strings.HasSuffix(name, "_file") && value.Kind() == reflect.String:
		if value.Len() > 0 && value.CanAddr() {
			visit(at, value.Addr().Interface().(*string))
		}
	case name == "files" && value.Type() == reflect.TypeFor[[]string]():
		for i := range value.Len() {
			visit(configfile.Item(at, i), value.Index(i).Addr().Interface().(*string))
		}
	default:
		eachFile(at, value, visit)
	}
}

// mostOfFile bounds what is read of a file that a module names, in bytes.
const mostOfFile = 16 << 20

// trouble says why a file can't be read, or nothing.
func trouble(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "no such file"
	}
	switch {
	case !info.Mode().IsRegular():
		return "no regular file"
	case info.Size() > mostOfFile:
		return fmt.Sprintf("larger than %d MiB", mostOfFile>>20)
	}
	file, err := os.Open(path)
	if err != nil {
		return "not readable"
	}
	file.Close()
	return ""
}

// beside makes a path of shopwatch.yml, which is relative to it, one of this process.
func beside(configFile, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(configFile), path)
}
