package config

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"sync"

	blackbox "github.com/prometheus/blackbox_exporter/config"

	"shopwatch/exporter"
)

// fingerprintKey is this process's own, so that nobody who sees a fingerprint
// can try passwords against it.
var fingerprintKey = sync.OnceValue(func() []byte {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	return key
})

// fingerprint stands for everything that a module says but its name, secrets
// and the contents of its files included. It is the same whenever this process
// reads the same.
func fingerprint(module exporter.Module) string {
	module.Name, module.Fingerprint = "", ""
	sum := hmac.New(sha256.New, fingerprintKey())
	writeValue(sum, reflect.ValueOf(module))
	if module.Blackbox != nil && slices.Contains(kinds, module.Kind) {
		eachFile("", blockOf(module.Blackbox), func(_ string, file *string) {
			data, why := readBounded(*file, mostOfFile)
			writeText(sum, why)
			writeText(sum, string(data))
		})
	}
	for _, own := range []any{
		module.MySQL, module.Postgres, module.Redis, module.SMTP, module.TLS,
		module.Journey, module.UptimeRobot, module.Payment, module.SMS,
	} {
		eachTLSFile(reflect.ValueOf(own), func(file string) {
			data, why := readBounded(file, mostOfFile)
			writeText(sum, why)
			writeText(sum, string(data))
		})
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// eachTLSFile visits the files of the TLS options that a struct of ours holds.
func eachTLSFile(value reflect.Value, visit func(file string)) {
	for value.Kind() == reflect.Pointer && !value.IsNil() {
		value = value.Elem()
	}
	if value.Kind() != reflect.Struct {
		return
	}
	for i := range value.NumField() {
		field := value.Field(i)
		if field.Kind() == reflect.Pointer && !field.IsNil() {
			field = field.Elem()
		}
		if field.Type() == tlsConfigType {
			eachFile("", field.Addr(), func(_ string, file *string) { visit(*file) })
		}
	}
}

// writeText writes a text so that no two lists of texts look the same.
func writeText(sum hash.Hash, text string) {
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(text)))
	sum.Write(length[:])
	sum.Write([]byte(text))
}

// writeValue writes a value by what it says. Compiled patterns say their text.
func writeValue(sum hash.Hash, value reflect.Value) {
	writeText(sum, value.Kind().String())
	switch value.Kind() {
	case reflect.Pointer:
		if value.IsNil() {
			return
		}
		switch pointed := value.Interface().(type) {
		case *regexp.Regexp:
			writeText(sum, pointed.String())
		case *url.URL:
			writeText(sum, pointed.String()) // with its password
		case *blackbox.CELProgram:
			writeText(sum, pointed.Expression)
		default:
			writeValue(sum, value.Elem())
		}
	case reflect.Struct:
		for i := range value.NumField() {
			if value.Type().Field(i).IsExported() {
				writeValue(sum, value.Field(i))
			}
		}
	case reflect.Slice:
		writeText(sum, fmt.Sprint(value.Len()))
		for i := range value.Len() {
			writeValue(sum, value.Index(i))
		}
	case reflect.Map:
		keys := make(map[string]reflect.Value, value.Len())
		for _, key := range value.MapKeys() {
			keys[fmt.Sprint(key.Interface())] = key
		}
		for _, name := range slices.Sorted(maps.Keys(keys)) {
			writeText(sum, name)
			writeValue(sum, value.MapIndex(keys[name]))
		}
	case reflect.Interface:
		if !value.IsNil() {
			writeValue(sum, value.Elem())
		}
	case reflect.String: // also of secrets, whose methods would hide them
		writeText(sum, value.String())
	default:
		writeText(sum, fmt.Sprint(value.Interface()))
	}
}
