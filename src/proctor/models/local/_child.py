"""Runs one model server for the process that started it, and ends when that process does.

Started as a file, not as a module, so that a server costs no import of Proctor. The first line on its
standard input is its configuration; after that, the end of its standard input is the end of its parent,
however that came about.
"""

import json
import os
import sys


def main() -> None:
    """Serves until standard input ends; writes the address to standard output once requests are answered."""
    address_out = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    settings = json.loads(sys.stdin.readline())

    # After the pipes are in place, so that its load errors reach the log.
    import xllamacpp  # type: ignore[import-untyped]

    params = xllamacpp.CommonParams()
    params.model.path = settings["file"]
    params.model_alias = {settings["name"]}
    params.port = settings["port"]
    params.api_keys = [settings["api_key"]]
    params.n_parallel = settings["slots"]
    params.n_ctx = settings["context_tokens"] * settings["slots"]
    params.cpuparams.n_threads = settings["threads"]
    params.cpuparams_batch.n_threads = settings["threads"]
    params.cache_prompt = True
    params.cache_ram_mib = settings["prompt_cache_mib"]
    params.offline = True
    params.ui = False
    params.endpoint_slots = False
    params.verbosity = 2
    server = xllamacpp.Server(params)
    print(server.listening_address, file=address_out, flush=True)
    sys.stdin.read()
    os._exit(0)  # Unloading first would keep a parent waiting that is about to leave.


if __name__ == "__main__":
    main()
