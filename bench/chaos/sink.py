"""A mail server that outlives every fault and writes down each message it took before it answers.

Its list is the ground truth: one line for each message whose whole text arrived, also when the answer was then withheld.
"""

import asyncio
import os
import random
import socket
from pathlib import Path

# What an ordinary bad day of a mail server looks like, per message.
SILENT = 0.002  # takes the text and hangs up without an answer: the sender must not send again
BUSY = 0.02  # 451 after the text: the sender must send again
CUT = 0.01  # hangs up before the text: the sender must send again
REFUSED = 0.005  # 550 to the recipient: final


class Conversation(asyncio.Protocol):
    """As much of RFC 5321 as a sender needs, without PIPELINING."""

    def __init__(self, list_file: int) -> None:
        self.list_file = list_file
        self.buffer = bytearray()
        self.in_text = False
        self.sender = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.say(b"220 sink")

    def say(self, line: bytes) -> None:
        self.transport.write(line + b"\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while not self.transport.is_closing():
            end = self.buffer.find(b"\r\n.\r\n" if self.in_text else b"\r\n")
            if end < 0:
                return
            found = bytes(self.buffer[:end])
            del self.buffer[: end + (5 if self.in_text else 2)]
            self.text(found) if self.in_text else self.command(found)

    def command(self, line: bytes) -> None:
        verb = line[:4].upper()
        if verb == b"MAIL":
            self.sender = line.partition(b"<")[2].partition(b">")[0].decode()
            self.say(b"250 ok")
        elif verb == b"RCPT" and random.random() < REFUSED:
            self.say(b"550 5.1.1 no such person")
        elif verb == b"DATA" and random.random() < CUT:
            self.transport.abort()
        elif verb == b"DATA":
            self.in_text = True
            self.say(b"354 go on")
        elif verb == b"QUIT":
            self.say(b"221 bye")
            self.transport.close()
        else:
            self.say(b"250 ok")

    def text(self, raw: bytes) -> None:
        """The whole text is here: from now on the message exists, whatever becomes of our answer."""
        self.in_text = False
        if random.random() < BUSY:
            self.say(b"451 4.3.0 come back")
            return
        silent = random.random() < SILENT
        os.write(self.list_file, f"{message_id(raw)} {'silent' if silent else 'answered'}\n".encode())
        if silent:
            self.transport.abort()
        else:
            self.say(b"250 2.0.0 taken")


def message_id(raw: bytes) -> str:
    """What stands between the angle brackets of Message-ID."""
    head = raw.partition(b"\r\n\r\n")[0]
    start = head.lower().find(b"\r\nmessage-id: <")
    return head[start + 15 :].partition(b">")[0].decode()


def serve(listener: socket.socket, path: Path) -> None:
    """Run until killed. ``path`` gets one line a message, in order, by O_APPEND: nothing is buffered in this process."""
    list_file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: Conversation(list_file), sock=listener)
        await server.serve_forever()

    asyncio.run(run())
