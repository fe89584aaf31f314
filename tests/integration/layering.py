#!/usr/bin/env python3
"""Checks which folder includes what.

    layering.py [--root DIR]

Prints one line a violation, `FILE:LINE: [rule] what is wrong and what to do`, and returns 1 if there are any. Rules:

    layer     a folder includes only the folders that FOLDERS allows
    spelling  a project header is written "laminar/FOLDER/NAME.hpp" (or "laminar/plugin.hpp"), and it is there
    cycle     no chain of includes comes back to where it started
    library   a third-party library is included only where LIBRARIES allows; tests may use any
    public    an installed header (HEADERS in the folder's CMakeLists.txt) includes installed headers of the project and
              the standard library only, so that users of the libraries need nothing else
    source    every .cpp and .hpp of a library stands in its folder's CMakeLists.txt (headers: if others' code or an
              installation needs them), and nothing that stands there is missing
"""

import argparse
import re
import sys
from collections import namedtuple
from pathlib import Path, PurePosixPath

EVERYTHING = None

# Which folders of the project a folder may include, beside itself.
FOLDERS = {
    "core": set(),
    "layers": {"core"},
    "partition": {"core"},
    "datasets": {"core"},
    "pipeline": {"core", "layers", "partition"},
    "apps": EVERYTHING,
    "tests": EVERYTHING,
}

Library = namedtuple("Library", "name header allowed")

# Where a third-party library may be included; `allowed` is matched against the whole path. None may stand in a public
# header, wherever that is.
LIBRARIES = [
    Library("oneTBB", r"(oneapi/)?tbb(/.*|\.h)|execution", r"core/parallel\.cpp"),
    Library("Boost.Program_options", r"boost/program_options(/.*|\.hpp)", r"apps/.*"),
    Library("HDF5", r"(H5|hdf5).*\.h", r"datasets/.*|pipeline/checkpoint\w*\.(hpp|cpp)"),
    Library("Eigen", r"(unsupported/)?Eigen/.*", r".*\.cpp"),
    Library("oneDNN", r"(oneapi/dnnl/)?dnnl.*\.h(pp)?", r"core/.*\.cpp"),
    Library("OpenMP", r"omp\.h", r"core/.*\.cpp"),
    Library("Random123", r"Random123/.*", r"core/.*"),
    Library("libzip", r"zip\.h", r"datasets/.*"),
    Library("fmt", r"fmt/.*", r".*"),
    Library("nlohmann-json", r"nlohmann/.*", r".*"),
    Library("doctest", r"doctest(/.*|\.h)", r"tests/.*"),
    Library("MPI", r"mpi\.h", r"pipeline/.*\.cpp"),
    Library("METIS", r"metis\.h", r"partition/.*\.cpp"),
]

Include = namedtuple("Include", "line quoted target")
Violation = namedtuple("Violation", "path line rule text")

TOKENS = re.compile(
    r"""
      (?P<comment> //[^\n]* | /\*.*?\*/ )
    | (?P<include> ^[ \t]*\#[ \t]*include[ \t]*(?P<target> "[^"\n]*" | <[^>\n]*> | [^\n]* ) )
    | (?P<raw> R"(?P<fence>[^()\\\s]{0,16})\(.*?\)(?P=fence)" )
    | (?P<string> "(?:\\.|[^"\\\n])*" )
    | (?P<character> (?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])*' )
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)


def includes_of(text):
    """The #include lines of C++ text; those in comments and string literals don't count."""
    found = []
    for token in TOKENS.finditer(text):
        if token.lastgroup == "comment" or token.group("include") is None:
            continue
        target = token.group("target").strip()
        line = text.count("\n", 0, token.start("target")) + 1
        quoted = target.startswith('"')
        found.append(Include(line, quoted, target[1:-1] if target[:1] in ('"', "<") else target))
    return found


def listed_files(folder):
    """(sources, public headers) that FOLDER/CMakeLists.txt names in laminar_add_library, or None without such a call."""
    lists = folder / "CMakeLists.txt"
    if not lists.is_file():
        return None
    text = re.sub(r"#[^\n]*", "", lists.read_text(encoding="utf-8"))
    call = re.search(r"laminar_add_library\s*\(([^)]*)\)", text)
    if call is None:
        return None
    words = re.split(r"\s+", call.group(1))
    return {w for w in words if w.endswith(".cpp")}, {w for w in words if w.endswith(".hpp")}


class Checker:
    def __init__(self, root):
        self.root = Path(root)
        self.violations = []
        self.includes = {}
        for folder in FOLDERS:
            for path in sorted((self.root / folder).rglob("*")):
                if path.suffix in (".hpp", ".cpp", ".h") and path.is_file():
                    name = path.relative_to(self.root).as_posix()
                    self.includes[name] = includes_of(path.read_text(encoding="utf-8"))
        self.public = set()
        for folder in FOLDERS:
            listed = listed_files(self.root / folder)
            if listed is not None:
                self.public.update(f"{folder}/{name}" for name in listed[1])

    def report(self, path, line, rule, text):
        self.violations.append(Violation(path, line, rule, text))

    def run(self):
        if not self.includes:
            self.report(".", 0, "source", f"no sources in {self.root}: is this the project's root?")
        for path, includes in self.includes.items():
            for include in includes:
                self.check_include(path, include)
        self.check_cycles()
        for folder in FOLDERS:
            self.check_sources(folder)
        return sorted(self.violations)

    def project_target(self, include):
        """The path in the tree that a well-written project include means, or None."""
        target = include.target
        if include.quoted and target == "laminar/plugin.hpp":
            return "layers/plugin.hpp"  # the one header that has no folder in its name
        if include.quoted and target.startswith("laminar/") and ".." not in PurePosixPath(target).parts:
            return target[len("laminar/") :]
        return None

    def check_include(self, path, include):
        target = self.project_target(include)
        if target is not None:
            self.check_project_include(path, include, target)
        elif include.quoted or include.target.startswith(("laminar/", *(f"{f}/" for f in FOLDERS))):
            self.report(path, include.line, "spelling",
                        f'"{include.target}": write project headers as "laminar/FOLDER/NAME.hpp" in quotes, others in <>')
        else:
            self.check_library(path, include)

    def check_project_include(self, path, include, target):
        line = include.line
        if target not in self.includes:
            self.report(path, line, "spelling", f'"{include.target}": there is no {target}')
            return
        own, other = path.split("/")[0], target.split("/")[0]
        allowed = FOLDERS[own]
        if other != own and allowed is not EVERYTHING and other not in allowed:
            may = ", ".join(sorted(allowed)) or "nothing else of the project"
            self.report(path, line, "layer", f"{own}/ includes {target}; it may include {may}")
        if target.endswith(".cpp"):
            self.report(path, line, "spelling", f"{target} is a source file: include a header")
        if path in self.public and target not in self.public:
            self.report(path, line, "public",
                        f"an installed header includes {target}, which is not under HEADERS in {other}/CMakeLists.txt")

    def check_library(self, path, include):
        for library in LIBRARIES:
            if not re.fullmatch(library.header, include.target):
                continue
            if path in self.public:
                self.report(path, include.line, "public",
                            f"an installed header includes {library.name} (<{include.target}>): move it into a .cpp file")
            if not path.startswith("tests/") and not re.fullmatch(library.allowed, path):
                self.report(path, include.line, "library",
                            f"{library.name} (<{include.target}>) may be included only in {library.allowed}")
            return
        # The standard library's headers have no suffix and no folder.
        if path in self.public and not re.fullmatch(r"[a-z_0-9]+", include.target):
            self.report(path, include.line, "public",
                        f"an installed header includes <{include.target}>, which is not in the standard library")

    def check_cycles(self):
        """Reports every include that closes a cycle of a depth-first walk."""
        done, trail = set(), []

        def visit(path):
            trail.append(path)
            for include in self.includes[path]:
                target = self.project_target(include)
                if target in trail:
                    chain = " -> ".join(trail[trail.index(target) :] + [target])
                    self.report(path, include.line, "cycle", chain)
                elif target in self.includes and target not in done:
                    visit(target)
            trail.pop()
            done.add(path)

        for path in self.includes:
            if path not in done:
                visit(path)

    def check_sources(self, folder):
        listed = listed_files(self.root / folder)
        if listed is None:
            return
        sources, headers = listed
        present = {p.name for p in (self.root / folder).iterdir() if p.suffix in (".cpp", ".hpp")}
        lists = f"{folder}/CMakeLists.txt"
        for name in sorted((sources | headers) - present):
            self.report(lists, 0, "source", f"names {name}, which is not in the folder")
        for name in sorted(n for n in present - sources if n.endswith(".cpp")):
            self.report(lists, 0, "source", f"does not name {name}: add it under SOURCES, or remove it")
        used_elsewhere = {self.project_target(i): p for p, found in self.includes.items() for i in found
                          if not p.startswith((f"{folder}/", "tests/"))}
        for name in sorted(n for n in present - headers if n.endswith(".hpp")):
            user = used_elsewhere.get(f"{folder}/{name}")
            if user is not None:
                self.report(lists, 0, "source", f"does not name {name} under HEADERS, but {user} includes it")


def check(root):
    """The violations in a tree, sorted."""
    return Checker(root).run()


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default=Path(__file__).resolve().parents[2], help="the project's root")
    root = parser.parse_args(arguments).root
    checker = Checker(root)
    violations = checker.run()
    for v in violations:
        print(f"{v.path}:{v.line}: [{v.rule}] {v.text}")
    count = sum(len(found) for found in checker.includes.values())
    print(f"layering: {len(checker.includes)} files, {count} includes, {len(violations)} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
