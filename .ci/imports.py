#!/usr/bin/env python3
"""Checks that no file of a crate imports a file that imports it, directly or through others.

    .ci/imports.py [FOLDER]     the crate's sources, `src` by default; exits with 1 if there is a circle
    .ci/imports.py --order      prints the files in an order in which each imports only earlier ones
    .ci/imports.py --test       tries the check on small crates written here

A file imports another if it names an item that the other defines: in a `use` declaration or by a path. Re-exports are followed
to the file that defines the item; a `pub use` alone is no import. Comments, strings and `#[cfg(test)]` modules are left out.
Methods that a file adds to a type of another (`impl Receiver`) are an import of the type, never of the file that adds them.
"""

import re
import sys
import tempfile
from pathlib import Path

TOKEN = re.compile(
    r"""(?P<skip>\s+|//[^\n]*)
      | (?P<block>/\*)
      | (?P<raw>b?r(?P<hashes>\#*)")
      | (?P<string>b?c?"(?:[^"\\]|\\.)*")
      | (?P<char>b?'(?:[^'\\\n]|\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.))')
      | (?P<lifetime>'[A-Za-z_]\w*)
      | (?P<word>(?:r\#)?[A-Za-z_]\w*)
      | (?P<number>\d[\w.]*)
      | (?P<sep>::)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


def tokens_of(text):
    """Returns the words and signs of a file with their lines, without comments, strings and numbers."""
    tokens, at, line = [], 0, 1
    while at < len(text):
        found = TOKEN.match(text, at)
        end = found.end()
        kind = found.lastgroup if found.lastgroup != "hashes" else "raw"
        if kind == "block":
            depth = 1
            while depth and end < len(text):
                if text.startswith("/*", end):
                    depth, end = depth + 1, end + 2
                elif text.startswith("*/", end):
                    depth, end = depth - 1, end + 2
                else:
                    end += 1
        elif kind == "raw":
            close = '"' + found["hashes"]
            end = text.index(close, end) + len(close)
        elif kind in ("word", "sep", "other"):
            tokens.append((found.group(), line))
        line += text.count("\n", at, end)
        at = end
    return tokens


class Module:
    """A file of the crate: what its `use` declarations bind, and the paths that it names."""

    def __init__(self, path, file):
        self.path = path  # names from the root of the crate
        self.file = file
        self.children = set()
        self.bindings = {}  # name -> (path from the root, line, public)
        self.globs = []
        self.uses = []  # (path from the root, line)
        self.words = {}  # word -> line of its first use outside of `use` declarations


def is_word(token):
    return re.fullmatch(r"(?:r#)?[A-Za-z_]\w*", token) is not None


class Reader:
    """Reads the tokens of one file."""

    def __init__(self, module):
        self.module = module
        self.tokens = tokens_of(module.file.read_text())
        self.at = 0
        self.inline = []  # names of the inline modules around, with the depth of braces at which each ends
        self.depth = 0

    def peek(self, ahead=0):
        at = self.at + ahead
        return self.tokens[at][0] if at < len(self.tokens) else ""

    def here(self):
        return self.module.path + tuple(name for name, _ in self.inline)

    def skip_block(self):
        """Skips from an opening brace to the one that closes it."""
        depth = 0
        while self.at < len(self.tokens):
            depth += {"{": 1, "}": -1}.get(self.peek(), 0)
            self.at += 1
            if depth == 0:
                return

    def read(self):
        public = test = False
        while self.at < len(self.tokens):
            token, line = self.tokens[self.at]
            if token == "#" and [self.peek(i) for i in range(1, 7)] == ["[", "cfg", "(", "test", ")", "]"]:
                test = True
                self.at += 7
            elif token == "pub":
                public = True
                self.at += 1
                if self.peek() == "(":
                    while self.peek() != ")":
                        self.at += 1
                    self.at += 1
            elif token == "mod" and is_word(self.peek(1)) and self.peek(2) == "{":
                self.at += 2
                if test:
                    self.skip_block()
                else:
                    self.inline.append((self.tokens[self.at - 1][0], self.depth))
                public = test = False
            elif token == "mod" and is_word(self.peek(1)) and self.peek(2) == ";":
                self.at += 3
                public = test = False
            elif token == "use":
                self.at += 1
                self.read_use((), line, public and not self.inline)
                public = test = False
            elif token in "{}":
                self.depth += 1 if token == "{" else -1
                if token == "}" and self.inline and self.inline[-1][1] == self.depth:
                    self.inline.pop()
                public = False
                self.at += 1
            elif is_word(token):
                self.read_path(line)
                public = False
            else:
                test = test and token not in ";}"
                self.at += 1

    def read_use(self, prefix, line, public):
        """Reads one tree of a `use` declaration: a path that ends in a name, a star or a group."""
        path = list(prefix)
        while True:
            token = self.peek()
            if token == "{":
                self.at += 1
                while self.peek() != "}":
                    self.read_use(tuple(path), self.tokens[self.at][1], public)
                    if self.peek() == ",":
                        self.at += 1
                self.at += 1
                return
            if token == "*":
                self.at += 1
                self.bind(path, None, line, public)
                return
            if token == "::":
                self.at += 1
                continue
            if not is_word(token):
                return
            path.append(token)
            self.at += 1
            if self.peek() != "::":
                name = path[-1] if path[-1] != "self" else path[-2]
                path = path if path[-1] != "self" else path[:-1]
                if self.peek() == "as":
                    name = self.peek(1)
                    self.at += 2
                self.bind(path, name, line, public)
                return

    def bind(self, path, name, line, public):
        absolute = self.absolute(path)
        if absolute is None:
            return
        if name is None:
            self.module.globs.append((absolute, line, public))
        elif not self.inline:
            self.module.bindings[name] = (absolute, line, public)
        if not public:
            self.module.uses.append((absolute, line))

    def read_path(self, line):
        path = [self.peek()]
        self.at += 1
        while self.peek() == "::" and is_word(self.peek(1)):
            path.append(self.peek(1))
            self.at += 2
        # The name of a field or method that happens to be a module's is no path.
        if len(path) > 1:
            absolute = self.absolute(path)
            if absolute is not None:
                self.module.uses.append((absolute, line))
        self.module.words.setdefault(path[0], line)

    def absolute(self, path):
        """Returns the path from the root of the crate, or `None` for what another crate defines."""
        here = self.here()
        if path[0] == "crate":
            return tuple(path[1:])
        if path[0] in ("self", "super"):
            rest = list(path)
            if rest[0] == "self":
                rest.pop(0)
            while rest and rest[0] == "super":
                here, _ = here[:-1], rest.pop(0)
            return here + tuple(rest)
        if path[0] in self.module.children or path[0] in self.module.bindings:
            return self.module.path + tuple(path)
        return None


def modules_of(folder):
    modules = {}
    for file in sorted(folder.rglob("*.rs")):
        parts = list(file.relative_to(folder).with_suffix("").parts)
        if parts[-1] in ("mod", "lib"):
            parts.pop()
        modules[tuple(parts)] = Module(tuple(parts), file)
    for path in modules:
        if path:
            modules[path[:-1]].children.add(path[-1])
    for module in modules.values():
        Reader(module).read()
    return modules


def defined_in(modules, path, seen=()):
    """Returns the module that defines the item at a path, or `None` for what another crate defines."""
    if path in seen:
        return None
    at = ()
    for index, name in enumerate(path):
        rest = path[index + 1 :]
        if name in modules[at].children:
            at += (name,)
        elif name in modules[at].bindings:
            return defined_in(modules, modules[at].bindings[name][0] + rest, seen + (path,))
        else:
            return at
    return at


def imports_of(modules):
    """Returns for each module the modules whose items it names, each with the first line that does."""
    imports = {path: {} for path in modules}
    for path, module in modules.items():
        named = list(module.uses)
        for name, (target, _, public) in module.bindings.items():
            if public and name in module.words:
                named.append((target, module.words[name]))
        for target, line in named:
            found = defined_in(modules, target)
            if found is not None and found != path:
                imports[path][found] = min(line, imports[path].get(found, line))
    return imports


def circles_of(imports):
    """Returns the sets of modules that reach each other, largest first (Tarjan's algorithm)."""
    number, low, on_stack, stack, circles = {}, {}, set(), [], []

    def visit(node):
        number[node] = low[node] = len(number)
        stack.append(node)
        on_stack.add(node)
        for after in imports[node]:
            if after not in number:
                visit(after)
                low[node] = min(low[node], low[after])
            elif after in on_stack:
                low[node] = min(low[node], number[after])
        if low[node] == number[node]:
            circle = []
            while not circle or circle[-1] != node:
                circle.append(stack.pop())
                on_stack.discard(circle[-1])
            circles.append(circle)

    for node in imports:
        if node not in number:
            visit(node)
    return circles


def shortest_way_round(imports, circle, start):
    """Returns the shortest way from a module back to it."""
    inside, queue = set(circle), [[start]]
    seen = set()
    for way in queue:
        for after in imports[way[-1]]:
            if after == start:
                return way + [start]
            if after in inside and after not in seen:
                seen.add(after)
                queue.append(way + [after])
    return []


def check(folder, say=print):
    modules = modules_of(folder)
    imports = imports_of(modules)
    found = [circle for circle in circles_of(imports) if len(circle) > 1]
    name = lambda path: str(modules[path].file.relative_to(folder))
    for circle in sorted(found, key=len, reverse=True):
        say(f"{len(circle)} files import each other: {', '.join(sorted(map(name, circle)))}")
        shown = set()
        for start in sorted(circle):
            way = shortest_way_round(imports, circle, start)
            if frozenset(way) in shown:
                continue
            shown.add(frozenset(way))
            for before, after in zip(way, way[1:]):
                say(f"  {name(before)}:{imports[before][after]} imports {name(after)}")
            say("")
    return not found


def order(folder):
    modules = modules_of(folder)
    for circle in circles_of(imports_of(modules)):
        print(*sorted(str(modules[path].file.relative_to(folder)) for path in circle))


CASES = [
    (True, {"lib.rs": "mod a; mod b; pub use a::A;", "a.rs": "pub struct A;", "b.rs": "use crate::A; fn f(_: A) {}"}),
    (False, {"lib.rs": "mod a; mod b;", "a.rs": "use crate::b::B;", "b.rs": "use crate::a::A;"}),
    # By a re-export, and by a path without `use`.
    (False, {"lib.rs": "mod a; mod b; pub use {a::A, b::B};", "a.rs": "use crate::B;", "b.rs": "fn f() -> crate::A { }"}),
    # A parent that only re-exports its child is no import of it; one that names it is.
    (True, {"lib.rs": "mod a;", "a/mod.rs": "mod c; pub use c::C; pub struct A;", "a/c.rs": "use super::A;"}),
    (False, {"lib.rs": "mod a;", "a/mod.rs": "mod c; pub use c::C; pub struct A(C);", "a/c.rs": "use super::A;"}),
    # In a group, renamed, and by the name of a module.
    (False, {"lib.rs": "mod a; mod b;", "a.rs": "use crate::{b::{self as x}}; fn f() { x::g() }", "b.rs": "use super::a::f;"}),
    # Comments, strings, tests and the `super` of an inline module are none.
    (True, {"lib.rs": "mod a; mod b;", "a.rs": "// crate::b::B\n/* use crate::b::B; */ const S: &str = \"crate::b::B\";",
            "b.rs": "use crate::a::S;"}),
    (True, {"lib.rs": "mod a; mod b;", "a.rs": "#[cfg(test)] mod tests { use crate::b::B; } struct A<'a>(&'a u8);",
            "b.rs": "use crate::a::A;"}),
    (True, {"lib.rs": "mod a; mod b;", "a.rs": "use crate::b::B; mod p { use super::A; } struct A;", "b.rs": "struct B;"}),
    (False, {"lib.rs": "mod a; mod b;", "a.rs": "mod p { fn f() -> crate::b::B {} }", "b.rs": "use crate::a::A;"}),
    # Three in a circle.
    (False, {"lib.rs": "mod a; mod b; mod c;", "a.rs": "use crate::b::B;", "b.rs": "use crate::c::C;", "c.rs": "use crate::a::A;"}),
]


def test():
    for number, (good, files) in enumerate(CASES):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                file = Path(folder, name)
                file.parent.mkdir(exist_ok=True)
                file.write_text(text)
            assert check(Path(folder), say=lambda _: None) == good, f"case {number}: {files}"


def main():
    arguments = sys.argv[1:]
    if arguments == ["--test"]:
        test()
    elif arguments[:1] == ["--order"]:
        order(Path(arguments[1] if arguments[1:] else "src"))
    elif not check(Path(arguments[0] if arguments else "src")):
        sys.exit(1)


if __name__ == "__main__":
    main()
