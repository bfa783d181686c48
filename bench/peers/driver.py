"""Calls one of dot_pe's runs and says how long its stages took.

usage: python driver.py SETTINGS_JSON
SETTINGS_JSON: {"checkout", "peer", "n_procs", "kwargs": {...}}, where kwargs
go to dot_pe and peer is one of MODULES (mp_inference_ext: with processes for the extrinsic stage too). The last line of standard output is 'RESULT ' and one JSON object: seconds by stage, and the run directory.
"""
import functools
import importlib
import json
import sys
import time
import warnings

started = time.perf_counter()
settings = json.loads(sys.argv[1])
sys.path.insert(0, settings["checkout"])
warnings.filterwarnings("ignore")

# dot_pe's functions by stage; a run calls those of its own module, some of which it takes from dot_pe.inference.
STAGES = {
    "prepare_run_objects": "setup",
    "select_intrinsic_samples_per_bank_incoherently": "incoherent",
    "select_intrinsic_samples_per_bank_incoherently_multicore": "incoherent",
    "_collect_incoherent_mp": "incoherent",
    "select_intrinsic_samples_across_banks_by_incoherent_likelihood": "incoherent",
    "draw_extrinsic_samples": "extrinsic",
    "draw_extrinsic_samples_parallel": "extrinsic",
    "run_coherent_inference_per_bank": "coherent",
    "run_coherent_inference_per_bank_multicore": "coherent",
    "_run_coherent_mp": "coherent",
    "aggregate_and_save_results": "posterior",
}
MODULES = {
    "inference": "dot_pe.inference",
    "mp_inference": "dot_pe.mp_inference",
    "mp_inference_ext": "dot_pe.mp_inference",
    "multicore": "dot_pe.multicore.inference_multicore",
}
ENTRY = {"inference": "run", "mp_inference": "run", "mp_inference_ext": "run", "multicore": "run_multicore"}
THREADS = {
    "inference": lambda n: {},
    "mp_inference": lambda n: {"n_workers": n},
    "mp_inference_ext": lambda n: {"n_workers": n, "n_ext_workers": n},
    "multicore": lambda n: {"n_procs": n},
}

seconds = {}
depth = 0


def timed(function, stage):
    """Adds what `function` takes to its stage, unless it was called by another that is timed."""

    @functools.wraps(function)
    def call(*args, **kwargs):
        global depth
        depth += 1
        begun = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            depth -= 1
            if depth == 0:
                seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - begun

    return call


module = importlib.import_module(MODULES[settings["peer"]])
seconds["start"] = time.perf_counter() - started
for place in {module, importlib.import_module("dot_pe.inference")}:
    for name, stage in STAGES.items():
        if hasattr(place, name):
            setattr(place, name, timed(getattr(place, name), stage))

kwargs = dict(settings["kwargs"])
n_procs = settings["n_procs"]
kwargs.update(THREADS[settings["peer"]](n_procs))
rundir = getattr(module, ENTRY[settings["peer"]])(**kwargs)
print("RESULT " + json.dumps({"seconds": seconds, "rundir": str(rundir)}), flush=True)
