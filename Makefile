# msb-exec: `make demo` shows it, `make check` tests it; both install what is missing first.
# Flavours: plain (build/), SANITIZE=1 (build/sanitize/), DEBUG=1 (build/debug/).

PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= cc
CFLAGS  ?= -O2 -g

ifdef SANITIZE
BUILD   := build/sanitize
FLAVOUR := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
else ifdef DEBUG
BUILD   := build/debug
FLAVOUR := -O0 -g3 -D_GLIBCXX_ASSERTIONS
else
BUILD   := build
FLAVOUR := -D_FORTIFY_SOURCE=2
endif

WARNINGS := -Wall -Wextra -Wshadow -Wvla -Wwrite-strings -Wformat=2 -Wno-format-nonliteral \
	-Wstrict-prototypes -Wmissing-prototypes -Wconversion
ifdef CI
WARNINGS += -Werror
endif
HARDENING := -fPIE -fstack-protector-strong
LINKING   := -pie -Wl,-z,relro -Wl,--as-needed -Wl,-O1

# Evaluated when used, so that `make check` may install pkg-config first.
CBOR_CFLAGS = $(shell pkg-config --cflags libcbor)
CBOR_LIBS   = $(shell pkg-config --libs libcbor)

COMPILE = $(CC) -std=gnu17 -D_GNU_SOURCE -O2 -MMD -MP $(WARNINGS) $(HARDENING) $(FLAVOUR) \
	$(CBOR_CFLAGS) $(CPPFLAGS) $(CFLAGS)
LINK    = $(CC) $(LINKING) $(FLAVOUR) $(CFLAGS) $(LDFLAGS)

SHARED   := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard shared/*.c)))
CLI      := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard cli/*.c)))
DAEMON   := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard daemon/*.c)))
PROGRAMS := $(BUILD)/msb-exec $(BUILD)/msb-execd

.PHONY: all
all: $(PROGRAMS)

$(BUILD)/msb-exec: $(CLI) $(SHARED)
	$(LINK) -o $@ $^ $(CBOR_LIBS) $(LDLIBS)

$(BUILD)/msb-execd: $(DAEMON) $(SHARED)
	$(LINK) -o $@ $^ $(CBOR_LIBS) $(LDLIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(COMPILE) -c -o $@ $<

-include $(patsubst %.o,%.d,$(CLI) $(DAEMON) $(SHARED))

# ---- tests ----

CMOCKA_LIBS = $(shell pkg-config --libs cmocka)

UNITS   := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(sort $(wildcard tests/unit/test_*.c)))
DRIVERS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(sort $(wildcard tests/*.c)))
# What the units may use: all but the mains.
PURE    := $(SHARED) $(filter-out $(BUILD)/daemon/execd.o,$(DAEMON)) $(filter-out $(BUILD)/cli/main.o,$(CLI))

.PHONY: deps check check-run units bats lint demo install clean

deps:
	@tests/deps.sh build check

check: deps
	@$(MAKE) --no-print-directory check-run

check-run: all units bats

$(BUILD)/tests/%: tests/unit/%.c $(PURE)
	@mkdir -p $(@D)
	$(COMPILE) -o $@ $< $(LINKING) $(PURE) $(CBOR_LIBS) $(CMOCKA_LIBS)

$(BUILD)/tests/%: tests/%.c $(SHARED)
	@mkdir -p $(@D)
	$(COMPILE) -o $@ $< $(LINKING) $(SHARED) $(CBOR_LIBS) -lutil

units: $(UNITS)
	@for unit in $(UNITS); do $$unit || exit 1; done

bats: all $(DRIVERS)
	@BUILD=$(abspath $(BUILD)) SLOW=$(if $(SANITIZE),4,1) bats $(BATSFLAGS) $(or $(FILES),tests)

clean:
	rm -rf build
