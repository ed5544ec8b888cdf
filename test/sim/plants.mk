# One source of the simulation exchanged for a faulty copy: make -f Makefile -f test/sim/plants.mk build/plant/sim PLANT=src/x/y.c
# with the copy at build/plant/src/x/y.c. Apart from the Makefile, for it belongs to test/sim/plants alone.
build/plant/sim: $(SIM:%.c=build/simobj/%.o) build/libtriton.a FORCE
	$Q$(CC) $(CFLAGS) $(SIM_SMALL) -Itest -w -c -o build/plant/plant.o build/plant/$(PLANT)
	$Q$(call LINK,build/plant/plant.o $(filter-out build/simobj/$(PLANT:.c=.o),$(filter %.o,$^)) build/obj/src/base/relro.o build/libtriton.a)
