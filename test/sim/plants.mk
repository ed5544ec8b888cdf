# Sources exchanged for faulty copies: make -f Makefile -f test/sim/plants.mk build/plant/sim PLANT="src/x/y.c ..." with the copies at
# build/plant/src/x/y.c; build/plant/unit and build/plant/triton likewise. The engine's sources (build/vendor/raft/src) can be planted, too:
# what is linked by name comes before the library. Apart from the Makefile, for it belongs to the two scripts `plants` alone.
PLANTED := $(PLANT:%.c=build/plant/%.o)

$(PLANTED): build/plant/%.o: build/plant/%.c FORCE
	$Q$(CC) $(if $(filter build/plant/build/vendor/%,$<),-O2 -g -std=gnu11 -D_GNU_SOURCE $(HARDEN) -iquote build/vendor/raft/src \
		-Ibuild/vendor/include -idirafter build/uapi,$(CFLAGS) $(PLANT_SMALL)) -Itest -w -c -o $@ $<

build/plant/sim: PLANT_SMALL := $(SIM_SMALL)
build/plant/sim: $(SIM:%.c=build/simobj/%.o) build/libtriton.a $(PLANTED) FORCE
	$Q$(call LINK,$(PLANTED) $(filter-out $(PLANT:%.c=build/simobj/%.o) $(PLANTED),$(filter %.o,$^)) build/obj/src/base/relro.o build/libtriton.a)

build/plant/unit: $(UNITS) build/libtriton.a $(PLANTED) FORCE
	$Q$(call LINK,$(PLANTED) $(UNITS) build/obj/src/base/relro.o build/libtriton.a)

build/plant/triton: $(OBJ) $(PLANTED) FORCE
	$Q$(call LINK,$(PLANTED) $(filter-out $(PLANT:%.c=build/obj/%.o) $(PLANTED),$(filter %.o,$^)))
