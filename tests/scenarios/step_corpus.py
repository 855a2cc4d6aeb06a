"""Steps as people write them, on toolchains that packages install.

A step is (its name, its toolchain, the files it is given below /src, its script). It runs in
/src, a copy that it may write to, and what counts is /out.
"""
from textwrap import dedent, indent

COMMON = ["dash", "coreutils", "base-passwd", "libc-bin", "sed", "grep", "findutils"]
TOOLCHAINS = {
    "shell": ["bash", "gawk", "diffutils", "bc", "jq", "file", "xxd", "m4", "openssl",
              "gettext-base", "libxml2-utils", "xsltproc", "sqlite3"],
    "archives": ["tar", "gzip", "bzip2", "xz-utils", "zstd", "zip", "unzip", "cpio",
                 "squashfs-tools", "xorriso", "dpkg", "dpkg-dev", "git", "brotli", "lz4"],
    "c": ["gcc", "g++", "libc6-dev", "make", "binutils", "cmake", "ninja-build", "bison", "flex",
          "meson", "pkgconf", "zlib1g-dev", "gfortran", "nasm", "gperf"],
    "autotools": ["gcc", "libc6-dev", "make", "autoconf", "automake", "libtool", "m4", "gawk",
                  "gettext", "autopoint", "tar", "gzip", "perl", "diffutils", "file"],
    "go": ["golang-go"],
    "rust": ["rustc", "cargo", "gcc", "libc6-dev"],
    "python": ["python3-minimal", "python3-venv", "python3-setuptools", "python3-wheel",
               "python3-pip", "python3-sphinx", "python3-jinja2", "python3-dev", "gcc",
               "libc6-dev"],
    "node": ["nodejs", "npm"],
    "java": ["openjdk-17-jdk-headless", "ant", "ca-certificates-java"],
    "scripts": ["perl", "ruby", "lua5.4", "php-cli", "tcl", "guile-3.0", "gawk"],
    "typesetting": ["texlive-latex-base", "groff", "ghostscript", "fonts-dejavu-core"],
    "text": ["pandoc", "asciidoctor", "doxygen", "graphviz", "gettext", "help2man",
             "docbook-xsl", "xsltproc", "imagemagick", "librsvg2-bin", "pngcrush"],
    "compilers": ["ocaml-nox", "fpc", "gnat", "gdc", "gcc", "libc6-dev"],
    "erlang": ["erlang-base", "erlang-dev"],
    "cross": ["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"],
}

HELLO_C = '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n'
MORE_C = "int twice(int n) { return 2 * n; }\n"
USES_C = """\
#include <stdio.h>
int twice(int);
int main(void) { printf("%d\\n", twice(21)); return 0; }
"""

# What only their maintainer scripts set up: javac by update-alternatives, formats of LaTeX,
# plugins of graphviz and of pixel formats.
SCRIPTED = {"autotools", "java", "scripts", "typesetting", "text", "compilers"}

STEPS = []


def step(name, toolchain, script, files=None):
    STEPS.append((name, toolchain, files or {}, dedent(script).strip() + "\n"))


# ---- shells and filters ------------------------------------------------------------------
step("sort-words", "shell", "sort -u words.txt > /out/sorted", {"words.txt": "b\na\nb\n"})
step("awk-report", "shell", "gawk '{s[$1] += $2} END {for (k in s) print k, s[k]}' t | sort "
     "> /out/r", {"t": "a 1\nb 2\na 3\n"})
step("bash-functions", "shell", r"""
     bash -c 'declare -A m=([x]=1 [y]=2); for k in "${!m[@]}"; do echo "$k=${m[$k]}"; done' \
       | sort > /out/m
     """)
step("m4-macros", "shell", "m4 -DNAME=world in.m4 > /out/text", {"in.m4": "hello NAME\n"})
step("jq-merge", "shell", "jq -S -s 'add' a.json b.json > /out/c.json", {"a.json": '{"z":1}',
     "b.json": '{"a":[1,2]}'})
step("envsubst-template", "shell", "HOST=example envsubst < t > /out/conf", {"t": "host=$HOST\n"})
step("xslt", "shell", "xsltproc s.xsl d.xml > /out/html; xmllint --noout d.xml",
     {"d.xml": "<a><b>1</b></a>", "s.xsl": """\
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:template match="/"><p><xsl:value-of select="a/b"/></p></xsl:template></xsl:stylesheet>
"""})
step("sqlite-database", "shell", """
     sqlite3 /out/db 'create table t(a integer primary key, b text); insert into t(b)
       values ("x"), ("y"); create index i on t(b); vacuum;'
     """)
step("bc-numbers", "shell", "echo 'scale=50; 4*a(1)' | bc -l > /out/pi")
step("openssl-digests", "shell", "openssl dgst -sha256 f > /out/d; openssl enc -base64 -in f "
     "> /out/b", {"f": "data\n"})

# ---- archives: each with the flags that its manual names for it --------------------------
TREE = {"d/a": "1\n", "d/b/c": "2\n", "d/e": "3\n"}
step("tar-gzip", "archives", "tar --sort=name --owner=0 --group=0 --numeric-owner "
     "--mtime=@$SOURCE_DATE_EPOCH -c d | gzip -n > /out/d.tar.gz", TREE)
step("tar-xz", "archives", "tar --sort=name --owner=0 --group=0 --mtime=@0 -c d | xz -T1 "
     "> /out/d.tar.xz", TREE)
step("tar-zstd", "archives", "tar --sort=name --owner=0 --group=0 --mtime=@0 -c d | zstd -q "
     "> /out/d.tar.zst; lz4 -q d/a /out/a.lz4; brotli -o /out/a.br d/a; bzip2 -k < d/a "
     "> /out/a.bz2", TREE)
step("zip", "archives", "find d -type f | sort | TZ=UTC zip -X -q /out/d.zip -@", TREE)
step("cpio", "archives", "find d | sort | cpio --quiet --reproducible -R 0:0 -o -H newc "
     "> /out/d.cpio", TREE)
step("squashfs", "archives", "mksquashfs d /out/d.sqfs -quiet -no-progress -all-root "
     "-processors 1", TREE)
step("iso", "archives", "xorriso -as mkisofs -quiet -V NAME --modification-date=1980010100000000 "
     "-o /out/d.iso d", TREE)
step("debian-package", "archives", """
     mkdir -p p/DEBIAN p/usr/share/x; cp d/a p/usr/share/x/a
     printf 'Package: x\\nVersion: 1\\nArchitecture: all\\nMaintainer: x <x@example.org>\\n%s\\n' \
       'Description: x' > p/DEBIAN/control
     dpkg-deb --root-owner-group -b p /out/x.deb
     """, TREE)
step("git-archive", "archives", """
     export GIT_AUTHOR_DATE="@$SOURCE_DATE_EPOCH +0000"
     export GIT_COMMITTER_DATE="$GIT_AUTHOR_DATE"
     git init -q r; cp -r d r; cd r
     git config user.name x; git config user.email x@example.org
     git add .; git commit -qm first; git rev-parse HEAD > /out/commit
     git archive HEAD > /out/tree.tar
     """, TREE)

# ---- C and its family --------------------------------------------------------------------
step("c-make", "c", "make -j2 CC=gcc; cp hello /out; /out/hello", {"hello.c": USES_C,
     "twice.c": MORE_C, "Makefile": "hello: hello.o twice.o\n\t$(CC) -o $@ $^\n"
     "%.o: %.c\n\t$(CC) -g -O2 -c -o $@ $<\n"})
step("c-static", "c", "gcc -O2 -static -o /out/hello hello.c; strip /out/hello; /out/hello",
     {"hello.c": HELLO_C})
step("c-shared-library", "c", """
     gcc -shared -fPIC -Wl,-soname,libtwice.so.1 -o /out/libtwice.so.1 twice.c
     ln -s libtwice.so.1 /out/libtwice.so; gcc -o /out/uses uses.c -L/out -ltwice
     LD_LIBRARY_PATH=/out /out/uses
     """, {"twice.c": MORE_C, "uses.c": USES_C})
step("c-static-library", "c", "gcc -c twice.c; ar rcs /out/libtwice.a twice.o; ranlib "
     "/out/libtwice.a", {"twice.c": MORE_C})
step("c-lto", "c", "gcc -flto -O2 -o /out/uses uses.c twice.c; /out/uses", {"twice.c": MORE_C,
     "uses.c": USES_C})
step("cxx-templates", "c", "g++ -O2 -std=c++20 -o /out/m m.cpp; /out/m > /out/text", {"m.cpp": """\
#include <algorithm>
#include <iostream>
#include <map>
#include <string>
int main() { std::map<std::string, int> m{{"b", 1}, {"a", 2}};
  for (auto& [k, v] : m) std::cout << k << v << '\\n'; }
"""})
step("c-cmake-ninja", "c", "cmake -G Ninja -DCMAKE_C_COMPILER=gcc -B b > /dev/null; ninja -C b; "
     "cmake --install b --prefix /out", {"hello.c": HELLO_C, "CMakeLists.txt": """\
cmake_minimum_required(VERSION 3.20)
project(hello C)
add_executable(hello hello.c)
install(TARGETS hello)
"""})
step("c-cmake-make", "c", "cmake -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Release -B b; "
     "make -C b; cp b/hello /out", {"hello.c": HELLO_C, "CMakeLists.txt": """\
cmake_minimum_required(VERSION 3.20)
project(hello C)
add_executable(hello hello.c)
"""})
step("c-meson", "c", "CC=gcc meson setup b --prefix=/out; meson install -C b",
     {"hello.c": HELLO_C, "meson.build": "project('hello', 'c')\n"
     "executable('hello', 'hello.c', install: true)\n"})
step("bison-flex", "c", "bison -o p.c p.y; flex -o l.c l.l; cp p.c l.c /out; gcc -o /out/p p.c l.c",
     {"p.y": "%{\nint yylex(void); void yyerror(const char *s) { (void)s; }\n%}\n%token N\n%%\n"
     "s: N;\n%%\nint main(void) { return yyparse(); }\n",
     "l.l": "%option noyywrap nounput noinput\n%{\nenum { N = 258 };\n%}\n%%\n[0-9]+ return N;\n"})
step("c-zlib", "c", "gcc -o /out/v v.c -lz; /out/v > /out/text", {"v.c": "#include <stdio.h>\n"
     "#include <zlib.h>\nint main(void) { puts(zlibVersion()); }\n"})
step("fortran", "c", "gfortran -O2 -o /out/f f.f90; /out/f > /out/text",
     {"f.f90": "program f\nprint *, 42\nend program\n"})
step("nasm", "c", "nasm -f elf64 -o a.o a.asm; ld -o /out/a a.o",
     {"a.asm": "global _start\n_start: mov eax, 60\nxor edi, edi\nsyscall\n"})
step("gperf", "c", "gperf k.gperf > /out/k.c", {"k.gperf": "one\ntwo\nthree\n"})
step("c-coverage", "c", "gcc --coverage -c t.c; gcc --coverage -o t t.o; ./t; "
     "gcov t.gcda > /out/text", {"t.c": HELLO_C})
step("autotools", "autotools", """
     autoreconf -fi 2> log || { cat log; exit 1; }; ./configure CC=gcc --prefix=/usr > log
     make > log; make install DESTDIR=/out > log
     """, {"configure.ac": "AC_INIT([hello], [1.0])\nAM_INIT_AUTOMAKE([foreign])\nAC_PROG_CC\n"
     "AC_CONFIG_FILES([Makefile])\nAC_OUTPUT\n",
     "Makefile.am": "bin_PROGRAMS = hello\nhello_SOURCES = hello.c\n", "hello.c": HELLO_C})
step("autotools-dist", "autotools", """
     autoreconf -fi 2> log || { cat log; exit 1; }; ./configure CC=gcc > log
     make distcheck > log 2>&1 || { tail -n 20 log; exit 1; }
     tar -xzf hello-1.0.tar.gz; cp -r hello-1.0 /out
     """, {"configure.ac": "AC_INIT([hello], [1.0])\nAM_INIT_AUTOMAKE([foreign])\nAC_PROG_CC\n"
     "AC_CONFIG_FILES([Makefile])\nAC_OUTPUT\n",
     "Makefile.am": "bin_PROGRAMS = hello\nhello_SOURCES = hello.c\n", "hello.c": HELLO_C})
step("libtool", "autotools", """
     autoreconf -fi 2> log || { cat log; exit 1; }; ./configure CC=gcc --prefix=/usr > log
     make > log; make install DESTDIR=/out > log
     """, {"configure.ac": "AC_INIT([two], [1.0])\nAM_INIT_AUTOMAKE([foreign])\nAC_PROG_CC\n"
     "AM_PROG_AR\nLT_INIT\nAC_CONFIG_FILES([Makefile])\nAC_OUTPUT\n",
     "Makefile.am": "lib_LTLIBRARIES = libtwo.la\nlibtwo_la_SOURCES = two.c\n", "two.c": MORE_C})
step("cross-arm64", "cross", "aarch64-linux-gnu-gcc -O2 -static -o /out/hello hello.c",
     {"hello.c": HELLO_C})

# ---- languages with a package manager of their own ---------------------------------------
GO = {"main.go": "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"hello\") }\n",
      "go.mod": "module example.org/hello\n\ngo 1.19\n"}
GO_ENV = "export GOCACHE=/tmp/cache GOFLAGS=-mod=mod GOTOOLCHAIN=local CGO_ENABLED=0; "
step("go-build", "go", GO_ENV + "go build -trimpath -o /out/hello .; /out/hello", GO)
step("go-build-plain", "go", GO_ENV + "go build -o /out/hello .", GO)
step("go-test", "go", GO_ENV + "go vet .; go test -count=1 . > log; grep -o ^ok log > /out/text",
     {**GO, "main_test.go": "package main\n\nimport \"testing\"\n\nfunc TestIt(t *testing.T) {}\n"})
step("rust-rustc", "rust", "rustc -O -o /out/hello main.rs; /out/hello",
     {"main.rs": 'fn main() { println!("hello"); }\n'})
step("rust-cargo", "rust", "CARGO_HOME=/tmp/c cargo build --release --offline -q; "
     "cp target/release/hello /out; /out/hello",
     {"Cargo.toml": '[package]\nname = "hello"\nversion = "0.1.0"\nedition = "2021"\n',
     "src/main.rs": 'fn main() { println!("hello"); }\n'})
PACKAGE = {"setup.py": "from setuptools import setup\nsetup(name='hello', version='1', "
           "packages=['hello'])\n", "hello/__init__.py": "def f():\n    return 1\n"}
step("python-wheel", "python", "python3 setup.py -q bdist_wheel; cp dist/*.whl /out", PACKAGE)
step("python-venv", "python", "python3 -m venv --without-pip /out/venv; /out/venv/bin/python -c "
     "'import sys; print(sys.prefix)'")
step("python-venv-pip", "python", "python3 -m venv /out/venv; /out/venv/bin/pip --version")
step("python-install", "python", "pip install -q --no-index --no-build-isolation "
     "--root-user-action=ignore --no-compile --target=/out .", PACKAGE)
step("python-bytecode", "python", "mkdir -p /out/p; cp m.py /out/p; python3 -m compileall -q "
     "/out/p", {"m.py": "def f():\n    return {'a', 'b', 'c'}\n"})
step("python-extension", "python", "CC=gcc python3 setup.py -q build_ext --build-lib /out",
     {"setup.py": "from setuptools import setup, Extension\nsetup(name='x', version='1', "
     "ext_modules=[Extension('x', ['x.c'])])\n", "x.c": "#include <Python.h>\n"
     "static struct PyModuleDef m = {PyModuleDef_HEAD_INIT, \"x\", 0, -1, 0};\n"
     "PyMODINIT_FUNC PyInit_x(void) { return PyModule_Create(&m); }\n"})
step("python-sphinx", "python", "sphinx-build -q -b html . /out; rm -r /out/.doctrees "
     "/out/.buildinfo", {"conf.py": "project = 'x'\nextensions = []\n",
     "index.rst": "Title\n=====\n\nText.\n"})
step("python-jinja", "python", "python3 -c 'import jinja2; "
     "print(jinja2.Template(open(\"t\").read()).render(n=3))' > /out/text",
     {"t": "{% for i in range(n) %}{{ i }}\n{% endfor %}"})
step("node-script", "node", "node -e 'console.log(JSON.stringify({a: 1}))' > /out/text")
step("node-pack", "node", "npm_config_cache=/tmp/n npm pack --silent > /dev/null; "
     "cp *.tgz /out", {"package.json": '{"name": "x", "version": "1.0.0"}', "index.js": "1;\n"})
step("node-install", "node", "cd app; npm_config_cache=/tmp/n npm install --silent --offline "
     "--no-audit --no-fund --install-links ../lib; cp -r node_modules package-lock.json /out",
     {"app/package.json": '{"name": "app", "version": "1.0.0"}',
     "lib/package.json": '{"name": "lib", "version": "1.0.0"}', "lib/index.js": "1;\n"})
JAVA = ('public class Hello { public static void main(String[] a) '
        '{ System.out.println("hello"); } }\n')
step("java-classes", "java", "JAVA_TOOL_OPTIONS=-XX:-UsePerfData javac -d /out Hello.java",
     {"Hello.java": JAVA})
step("java-jar", "java", "javac Hello.java; jar --create --file /out/h.jar --date "
     "1980-01-01T00:00:02Z --main-class Hello Hello.class", {"Hello.java": JAVA})

# ---- scripts -----------------------------------------------------------------------------
step("perl", "scripts", "perl -e 'print join(\",\", sort {$a cmp $b} map {$_ * 2} 1..5), \"\\n\"' "
     "> /out/text")
step("ruby", "scripts", "ruby -e 'puts({b: 1, a: 2}.sort.inspect)' > /out/text")
step("lua", "scripts", "lua5.4 -e 'print(string.format(\"%q\", 1/3))' > /out/text; "
     "luac5.4 -o /out/l l.lua", {"l.lua": "print(1)\n"})
step("php", "scripts", "php -r 'echo json_encode([\"a\" => 1]), \"\\n\";' > /out/text")
step("tcl", "scripts", "echo 'puts [lsort {c a b}]' | tclsh > /out/text")
step("guile", "scripts", "guile --no-auto-compile -c '(display (map + (list 1 2) (list 3 4)))' "
     "> /out/text")

# ---- documents and pictures --------------------------------------------------------------
step("latex", "typesetting", "FORCE_SOURCE_DATE=1 pdflatex -interaction=batchmode d.tex > log; "
     "cp d.pdf /out", {"d.tex": "\\documentclass{article}\\begin{document}Text.\\end{document}\n"})
step("groff", "typesetting", "groff -man -Tascii m.1 > /out/text; groff -man -Tps m.1 > /out/ps",
     {"m.1": '.TH M 1 1980-01-01\n.SH NAME\nm \\- text\n'})
# Not EPUB: pandoc gives its members the time of day, whatever SOURCE_DATE_EPOCH says.
step("pandoc", "text", "pandoc -s --metadata title=T -o /out/t.html t.md; pandoc -o /out/t.docx "
     "t.md", {"t.md": "# T\n\nText.\n"})
step("asciidoctor", "text", "asciidoctor -o /out/t.html t.adoc", {"t.adoc": "= T\n\nText.\n"})
step("doxygen", "text", "doxygen D > log; cp -r html /out", {"d.h": "/// What it does.\nint f();\n",
     "D": "INPUT = d.h\nGENERATE_LATEX = NO\nQUIET = YES\nHAVE_DOT = NO\n"})
step("graphviz", "text", "dot -Tsvg g.dot > /out/g.svg",
     {"g.dot": "digraph { a -> b -> c; a -> c }\n"})
step("gettext", "text", "msgfmt -o /out/de.mo de.po", {"de.po": 'msgid ""\nmsgstr "Content-Type: '
     'text/plain; charset=UTF-8\\n"\n\nmsgid "a"\nmsgstr "b"\n'})
step("imagemagick", "text", "convert -size 16x16 gradient:red-blue -define "
     "png:exclude-chunks=date,time +set date:create +set date:modify /out/g.png")
step("rsvg", "text", "rsvg-convert -o /out/c.png c.svg", {"c.svg": '<svg xmlns="http://www.w3.org/'
     '2000/svg" width="8" height="8"><circle cx="4" cy="4" r="3"/></svg>\n'})
step("help2man", "text", "chmod +x h; help2man -N ./h > /out/h.1", {"h": "#!/bin/sh\ncase $1 in "
     "--version) echo 'h 1.0';; *) echo 'Usage: h';; esac\n"})

# ---- further compilers -------------------------------------------------------------------
step("ocaml", "compilers", "ocamlfind -help > /dev/null 2>&1 || true; ocamlopt -o /out/h h.ml; "
     "/out/h", {"h.ml": 'print_endline "hello"\n'})
step("pascal", "compilers", "fpc -v0 -o/out/h h.pas; /out/h",
     {"h.pas": "begin\n  writeln('hello');\nend.\n"})
step("ada", "compilers", "gnatmake -q -o /out/h h.adb; /out/h", {"h.adb": "with Ada.Text_IO;\n"
     'procedure H is begin Ada.Text_IO.Put_Line ("hello"); end H;\n'})
step("d", "compilers", "gdc -O2 -o /out/h h.d; /out/h",
     {"h.d": 'import std.stdio;\nvoid main() { writeln("hello"); }\n'})
step("erlang", "erlang", "erlc +deterministic -o /out m.erl",
     {"m.erl": "-module(m).\n-export([f/0]).\nf() -> 1.\n"})


def write_project(scenario, toolchains, only=None):
    """An image for each toolchain, which has the results of its steps, or of some alone."""
    stages, images = "", ""
    for chain in toolchains:
        packages = ", ".join(sorted({*COMMON, *TOOLCHAINS[chain]}))
        stages += (f"  {chain}:\n    from: scratch\n    steps:\n"
                   f"      - {{packages: [{packages}], from: debian"
                   + (", scripts: run}\n" if chain in SCRIPTED else "}\n"
                      "      - {symlink: /bin/sh, target: dash}\n"))
        images += f"  all-{chain}:\n    from: scratch\n    steps:\n"
        for name, _, files, script in (one for one in STEPS if one[1] == chain and
                                       (only is None or one[0] in only)):
            scenario.write(f"src/{name}/.keep", "")
            for path, text in files.items():
                scenario.write(f"src/{name}/{path}", text)
            stages += (f"  at-{name}:\n    from: {chain}\n    steps:\n      - run: |\n"
                       + indent("mkdir /out\n" + script, 10 * " ")
                       + f"        name: {name}\n        cwd: /src\n        outputs: [/out]\n"
                       f"        mounts: [{{from: src, path: {name}, at: /src, write: true}}, "
                       "{tmp: /tmp}]\n        timeout: 10m\n")
            images += f"      - {{copy: out, from: at-{name}, to: /{name}, layer: {name}}}\n"
    scenario.write("lithify.yaml", "lithify: 1\nproject: corpus\nplatforms: [linux/amd64]\n"
                   "sources:\n  debian: {apt: {suites: [bookworm], components: [main]}}\n"
                   f"  src: {{local: src}}\nstages:\n{stages}images:\n{images}"
                   "outputs: [{oci: out/$(image.name)}]\n")
