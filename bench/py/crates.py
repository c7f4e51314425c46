"""Prints the licences of the crates that the peers in Rust are built from:
cargo metadata --format-version 1 --locked --filter-platform TARGET | python3 crates.py
A crate whose licence needs more than what is allowed here is an error."""
import json
import re
import sys

ALLOWED = {"MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib", "0BSD",
           "Unicode-3.0", "CC0-1.0", "Unlicense", "BSL-1.0", "MIT-0"}


def allowed(expression):
    """Whether one side of each AND of the expression is allowed."""
    expression = expression.replace("/", " OR ")
    for part in re.split(r"\bAND\b", expression):
        choices = [c.strip(" ()") for c in re.split(r"\bOR\b", part)]
        if not any(c in ALLOWED for c in choices):
            return False
    return True


def main():
    meta = json.load(sys.stdin)
    used = {n["id"] for n in meta["resolve"]["nodes"]}
    bad, by = [], {}
    for p in meta["packages"]:
        if p["id"] in used and p["source"]:
            licence = p["license"] or p["license_file"] or "none"
            by.setdefault(licence, []).append(f"{p['name']} {p['version']}")
            if not allowed(licence):
                bad.append(f"{p['name']} {p['version']}: {licence}")
    print("# Licences of the crates\n\nMade by `bench/rust/licences.sh`. The workers are built on the machine that measures;")
    print("nothing of them is part of unroll.\n\n| licence | crates |\n|---|---|")
    for licence, names in sorted(by.items()):
        print(f"| {licence} | {', '.join(sorted(names))} |")
    if bad:
        sys.exit("not allowed:\n" + "\n".join(bad))


main()
