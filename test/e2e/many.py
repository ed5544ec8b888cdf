"""Many clients at once. Usage: many.py SOCKET CONNECTIONS STREAMS: opens so many connections, asks each for /_ping, holds them all, makes /events
streams of some, and asks the others once more. Prints how many answered: "PINGS STREAMS PINGS", and why others did not."""
import asyncio, sys

path, connections, streams = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


async def ask(connection, what):
    """True when it answers 200; the body of a ping is read, so that the connection can be used again."""
    reader, writer = connection
    writer.write(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % what)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    if what == b"/_ping":
        await asyncio.wait_for(reader.readexactly(2), 20)
    return head.startswith(b"HTTP/1.1 200")


async def all_of(some, what, why):
    answers = await asyncio.gather(*(ask(c, what) for c in some), return_exceptions=True)
    why.update(repr(a) for a in answers if a is not True)
    return sum(a is True for a in answers)


async def main():
    held, why = [], set()
    for _ in range(connections):
        held.append(await asyncio.open_unix_connection(path))
    counts = [await all_of(held, b"/_ping", why), await all_of(held[:streams], b"/events", why), await all_of(held[streams:], b"/_ping", why)]
    print(*counts, *sorted(why)[:3])
    for _, writer in held:
        writer.transport.abort()


asyncio.run(main())
