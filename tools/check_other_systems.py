"""Checks the types of the package for Windows and macOS, beside what needs Unix or Linux."""

import re
import subprocess
import sys

# Features of Unix, or of Linux alone. Their modules can be imported anywhere, and work there.
LINUX_ONLY = ("code_executor/sandbox/", "tools/mcp/keeper.py")
UNIX_ONLY = (
    *("runtime/introspection/stats_server.py", "cli/top.py", "code_executor/local.py"),
    "tools/guarding/audit_log.py",
)
EXEMPT = {"win32": (*LINUX_ONLY, *UNIX_ONLY), "darwin": LINUX_ONLY}
ERROR = re.compile(r"^python/ferrogen/(?P<place>[^:]+):\d+: error: .*$", re.MULTILINE)


def complaints(platform: str) -> list[str]:
    """Returns the errors of mypy for a platform that no exemption explains."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--platform", platform, "--no-error-summary", "python"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = list(ERROR.finditer(done.stdout))
    if done.returncode not in (0, 1) or (done.returncode == 1 and not found):
        return [done.stdout, done.stderr]
    exempt = EXEMPT[platform]
    unused = [
        f"{platform}: {place} needs no exemption any more"
        for place in exempt
        if not any(error["place"].startswith(place) for error in found)
    ]
    return unused + [
        f"{platform}: {error[0]}" for error in found if not error["place"].startswith(exempt)
    ]


if __name__ == "__main__":
    lines = [line for platform in EXEMPT for line in complaints(platform)]
    print(*lines, sep="\n", end="\n" if lines else "", file=sys.stderr)
    sys.exit(bool(lines))
