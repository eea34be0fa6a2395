"""Programs that try to get out, to harm, or to pass tests they do not pass.

Each defines `f`. An escape's `f()` gives "out" where it got what it was after; a cheat is held
against `assert f(2) == 4` and passes where it gets away with it.
"""

from __future__ import annotations

ESCAPES = {
    "reads the accounts": "def f(): open('/etc/passwd').read(); return 'out'",
    "reads by a link of its own": """
import os
def f():
    os.symlink('/etc/passwd', 'mine')
    open('mine').read()
    return 'out'
""",
    "lists the root": "import os\ndef f(): os.listdir('/'); return 'out'",
    "looks for homes": """
import os
def f(): return 'out' if any(map(os.path.exists, ('/home', '/var', '/usr/bin', '/tmp'))) else 'in'
""",
    "writes beside the scratch folder": "def f(): open('/mine', 'w').write('x'); return 'out'",
    "writes to the library": """
import os
def f(): open(os.path.dirname(os.__file__) + '/mine.py', 'w').write('x'); return 'out'
""",
    **{
        f"changes {what} of the library": f"""
import os
def f():
    path = os.__file__
    {call}
    return 'out'
"""
        for what, call in {
            "a mode": "os.chmod(path, os.stat(path).st_mode)",
            "a mode by descriptor": "os.fchmod(os.open(path, os.O_RDONLY), 0o644)",
            "an owner": "os.chown(path, -1, -1)",
            "the times": "os.utime(path)",
            "an attribute": "os.setxattr(path, 'user.mine', b'x')",
        }.items()
    },
    "writes a file without end": """
def f():
    with open('big', 'wb') as stream:
        for _ in range(1000):
            stream.write(bytes(1 << 20)); stream.flush()
    return 'out'
""",
    "writes files without end": """
def f():
    for number in range(1000):
        with open(str(number), 'wb') as stream:
            stream.write(bytes(1 << 20))
    return 'out'
""",
    "opens TCP": "import socket\ndef f(): socket.socket(); return 'out'",
    "opens UDP": """
import socket
def f():
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))
    return 'out'
""",
    "opens TCP over IPv6": "import socket\ndef f(): socket.socket(socket.AF_INET6); return 'out'",
    "opens a Unix socket": "import socket\ndef f(): socket.socket(socket.AF_UNIX); return 'out'",
    "opens a raw socket": """
import socket
def f(): socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); return 'out'
""",
    "opens a netlink socket": """
import socket
def f(): socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); return 'out'
""",
    "connects a pair of its sockets elsewhere": """
import socket
def f():
    one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.connect('/run/systemd/journal/socket')
    return 'out'
""",
    "asks a name server": """
import socket
def f():
    socket.getaddrinfo('localhost', 80)
    socket.create_connection(('localhost', 80))
    return 'out'
""",
    "forks": "import os\ndef f(): os.fork() or os._exit(0); return 'out'",
    "forks without end": """
import os, time
def f():
    for _ in range(40):
        if os.fork() == 0:
            time.sleep(1)
            os._exit(0)
    return 'out'
""",
    "forks by the system call": """
import ctypes, platform
def f():
    number = {'x86_64': 57}.get(platform.machine(), 220)
    return 'out' if ctypes.CDLL(None).syscall(number, 17, 0, 0, 0, 0) > 0 else 'in'
""",
    "starts threads without end": """
import threading, time
def f():
    for _ in range(200):
        threading.Thread(target=time.sleep, args=(9,), daemon=True).start()
    return 'out'
""",
    "starts a shell": """
import os
def f(): return 'out' if os.system('true') == 0 else 'in'
""",
    "starts a command": "import subprocess\ndef f(): subprocess.run(['/bin/true']); return 'out'",
    "becomes another program": """
import os
def f():
    try: os.execv('/no/such/program', ['program'])
    except FileNotFoundError: return 'out'  # it would have, were it there
""",
    "takes memory": "def f(): x = bytearray(3 << 30); return 'out'",
    "takes memory by mapping": "import mmap\ndef f(): m = mmap.mmap(-1, 3 << 30); return 'out'",
    "takes memory by an unnamed file": "import os\ndef f(): return os.memfd_create('x') and 'out'",
    "loops": "def f():\n    while True: pass",
    "sleeps": "import time\ndef f(): time.sleep(60); return 'out'",
    "catches the signal that ends it": """
import signal
for number in range(1, 32):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
def f():
    while True:
        try: exec('while True: pass')
        except BaseException: pass
""",
    "signals its parent": """
import os, signal
def f():
    os.kill(os.getppid() or 2, signal.SIGKILL)
    return 'out'
""",
    "signals every process": """
import os
def f():
    found = 0
    for number in range(2, 4000):
        try: os.kill(number, 0); found += 1
        except OSError: pass
    return 'out' if found else 'in'
""",
    "traces another process": """
import ctypes
def f():
    libc = ctypes.CDLL(None)
    return 'out' if any(libc.ptrace(16, number, 0, 0) == 0 for number in range(1, 50)) else 'in'
""",
    "reads another process": """
import ctypes, platform
def f():
    number = {'x86_64': 310}.get(platform.machine(), 270)
    return 'out' if ctypes.CDLL(None).syscall(number, 2, 0, 0, 0, 0, 0) == 0 else 'in'
""",
    "looks at other processes": "import os\ndef f(): os.listdir('/proc'); return 'out'",
    "reads its own memory by /proc": "def f(): open('/proc/self/mem', 'rb'); return 'out'",
    "reads the environment it came from": """
import os
def f(): return 'out' if set(os.environ) - {'PYTHONHASHSEED', 'LANG', 'PATH', 'LC_CTYPE'} else 'in'
""",
    "makes a user namespace": """
import ctypes
def f(): return 'out' if ctypes.CDLL(None).unshare(0x10000000) == 0 else 'in'
""",
    "joins a namespace": """
import ctypes
def f(): return 'out' if ctypes.CDLL(None).setns(0, 0) == 0 else 'in'
""",
    "mounts": """
import ctypes
def f(): return 'out' if ctypes.CDLL(None).mount(b'x', b'/scratch', b'tmpfs', 0, 0) == 0 else 'in'
""",
    "changes the root": "import os\ndef f(): os.chroot('/scratch'); return 'out'",
    "becomes root": "import os\ndef f(): os.setuid(0); return 'out'",
    "raises its limits": """
import resource
def f(): resource.setrlimit(resource.RLIMIT_AS, (-1, -1)); return 'out'
""",
    "shares memory by System V": """
import ctypes
def f(): return 'out' if ctypes.CDLL(None).shmget(0, 4096, 0o1600) >= 0 else 'in'
""",
    "makes a device": "import os\ndef f(): return os.mknod('sda', 0o060600, 2048) or 'out'",
    "leaves something for the next": """
import os
def f(): return 'out' if os.path.exists('left') or open('left', 'w').close() else 'in'
""",
    "writes to the starter's pipes": """
import os
def f():
    found = []
    for number in range(4, 300):
        try: os.fstat(number); found.append(number)
        except OSError: pass
    return 'out' if found else 'in'
""",
}

CHEATS = {
    "equals everything": """
class Same:
    def __eq__(self, other): return True
    def __bool__(self): return True
    def __hash__(self): return 4
def f(x): return Same()
""",
    "a number that equals everything": """
class Same(int):
    def __eq__(self, other): return True
    __hash__ = int.__hash__
def f(x): return Same(5)
""",
    "a list of things that equal everything": """
class Same(str):
    def __eq__(self, other): return True
    __hash__ = str.__hash__
def f(x): return [Same()]
""",
    "claims to be a number": """
class Claims:
    __class__ = int
    def __eq__(self, other): return True
def f(x): return Claims()
""",
    "exits with success": "import sys\nsys.exit(0)",
    "exits within": "import sys\ndef f(x): sys.exit(0)",
    "leaves at once": "import os\nos._exit(0)",
    "leaves within": "import os\ndef f(x): os._exit(0)",
    "leaves at the end": "import atexit, os\natexit.register(os._exit, 0)\ndef f(x): return 5",
    "raises what ends tests": "def f(x): raise SystemExit(0)",
    "raises a failed assertion": "def f(x): raise AssertionError('passed')",
    "writes results": """
import os
os.write(3, b'0' * 32 + b' 0 {"i":"0x4"}\\n')
os._exit(0)
""",
    "writes verdicts": """
import os
os.write(3, b'{"passed": true}\\n[true]\\nok\\n')
print('passed', flush=True)
os._exit(0)
""",
    "takes the nonce and writes verdicts": """
import gc, os
for found in gc.get_objects():
    if isinstance(found, dict) and 'nonce' in found:
        os.write(3, (found['nonce'] + ' 0 true\\n').encode())
        os._exit(0)
def f(x): return 5
""",
    "takes the nonce from a frame": """
import os, sys
frame = sys._getframe()
while frame:
    if 'nonce' in frame.f_locals:
        os.write(3, (frame.f_locals['nonce'] + ' 0 {"o":"anything"}\\n').encode())
    frame = frame.f_back
def f(x): return True
""",
    "finds what is expected in the frames": """
import sys
def f(x):
    frame = sys._getframe()
    while frame:
        for value in list(frame.f_locals.values()):
            if isinstance(value, str) and '== ' in value:
                return int(value.partition('== ')[2])
        frame = frame.f_back
    return 5
""",
    "finds what is expected in memory": """
import gc
def f(x):
    for found in gc.get_objects():
        for value in (found.values() if isinstance(found, dict) else ()):
            if isinstance(value, str) and 'f(2) == ' in value and 'gc' not in value:
                return int(value.partition('== ')[2])
    return 5
""",
    "rewrites equality of the encoder": """
import builtins, json
json.dumps = lambda *a, **k: 'true'
builtins.type = lambda value: bool
builtins.bool = lambda value: True
def f(x): return 5
""",
    "rewrites the encoder": """
import sys
for name, module in list(sys.modules.items()):
    if name.endswith('values'):
        module.encode = lambda value: 'true'
        module.dump = lambda value: 'true'
def f(x): return object()
""",
    "rewrites eval": """
import builtins
builtins.eval = lambda *a: True
builtins.compile = lambda *a: 'True'
def f(x): return 5
""",
    "a value too deep to compare": """
def f(x):
    value = []
    for _ in range(100000): value = [value]
    return value
""",
    "a thread that goes on": """
import threading, os, time
def later():
    time.sleep(0.05)
    os._exit(0)
threading.Thread(target=later).start()
def f(x): time.sleep(0.2); return 5
""",
    "a trace that changes what is returned": """
import sys
def f(x): return 5
sys.settrace(lambda *a: None)
sys.setprofile(lambda *a: None)
""",
    "ends itself by a signal": "import os\ndef f(x): os.kill(os.getpid(), 9)",
    "crashes": "import ctypes\ndef f(x): ctypes.string_at(0)",
    "too much to send": "def f(x): return 'x' * 10_000_000",
    "not a program": "this is the answer: 4",
    "no function": "g = 4",
}
