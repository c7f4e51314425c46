package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRecogniseKnowsPermissiveTextsOnly(t *testing.T) {
	apache, err := os.ReadFile("../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	for want, text := range map[string]string{
		"Apache-2.0":   string(apache),
		"MIT":          "Permission is hereby granted, free of\ncharge, to any person",
		"BSD-3-Clause": "Redistribution and use in source and binary forms ... Neither the name of",
		"BSD-2-Clause": "Redistribution and use in source and binary forms, with or without",
		"ISC":          "Permission to use, copy, modify, and/or distribute this software for any",
		"MPL-2.0":      "Mozilla Public License Version 2.0\n=====",
		"":             "GNU GENERAL PUBLIC LICENSE Version 3",
	} {
		if got := recognise(text); got != want {
			t.Errorf("recognise(%.40q) = %q, want %q", text, got, want)
		}
	}
}

func TestTableNamesWhatItCannotRecognise(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "LICENSE"), []byte("all rights reserved"), 0o644); err != nil {
		t.Fatal(err)
	}
	m := map[string]module{"example.org/m": {"example.org/m", "v1.2.3", dir}}
	if _, err := table(m, m); err == nil || !strings.Contains(err.Error(), "example.org/m v1.2.3") {
		t.Errorf("got %v, want an error that names the module", err)
	}
}

func TestTableKeepsMPLOutOfWhatIsShipped(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "LICENSE"), []byte("Mozilla Public License Version 2.0"), 0o644); err != nil {
		t.Fatal(err)
	}
	m := map[string]module{"example.org/m": {"example.org/m", "v1.2.3", dir}}
	if _, err := table(nil, m); err != nil {
		t.Errorf("for tests: %v", err)
	}
	if _, err := table(m, m); err == nil || !strings.Contains(err.Error(), "tests only") {
		t.Errorf("shipped: got %v, want a refusal", err)
	}
}
