"""The row that says where and when rows were measured."""
import datetime
import os
import platform
import subprocess


def cpu():
    """Model, family, levels and cache sizes as the system says them."""
    info = {}
    for line in open("/proc/cpuinfo"):
        k, _, v = line.partition(":")
        info.setdefault(k.strip(), v.strip())
    flags = set(info.get("flags", "").split())
    caches = {}
    base = "/sys/devices/system/cpu/cpu0/cache"
    for d in sorted(os.listdir(base)) if os.path.isdir(base) else []:
        if d.startswith("index"):
            part = [open(f"{base}/{d}/{f}").read().strip() for f in ("level", "type", "size")]
            if part[1] != "Instruction":
                caches["L" + part[0]] = part[2]
    return {"cpu": info.get("model name", platform.machine()),
            "family": info.get("cpu family"), "model": info.get("model"),
            "isa": [f for f in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile") if f in flags],
            "caches": caches, "processors": os.cpu_count()}


def row(folder):
    """What a file of rows begins with. folder is the checkout."""
    def said(*cmd):
        p = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder)
        return p.stdout.strip()
    return {"metric": "machine", **cpu(), "system": f"{platform.system()} {platform.release()}",
            "go": said("go", "env", "GOVERSION"), "commit": said("git", "rev-parse", "--short", "HEAD"),
            "date": datetime.date.today().isoformat(), "load": round(os.getloadavg()[0], 2)}
