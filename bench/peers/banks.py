"""How fast dot_pe makes the waveforms of a bank: usage: banks.py CHECKOUT BANK OUT N_SAMPLES N_PROCESSES

The first samples of BANK (made by `dotpe-hpc bank create`) go through dot_pe.waveform_banks into OUT; then the largest
difference of the waveforms, relative to each. CHECKOUT is a clone of dot_pe; cogwheel must be importable.
"""

import json
import sys
import time
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
checkout, bank, out, n_samples, n_processes = sys.argv[1:6]
sys.path.insert(0, checkout)

import numpy as np
import pandas as pd
from dot_pe import waveform_banks

bank, out, n = Path(bank), Path(out), int(n_samples)
out.mkdir()
config = json.loads((bank / "bank_config.json").read_text())
kept = {name: config[name] for name in ("fbin", "f_ref", "m_arr", "harmonic_modes")}
(out / "bank_config.json").write_text(json.dumps(kept))
samples = pd.read_feather(bank / "intrinsic_sample_bank.feather").iloc[:n].reset_index(drop=True)
samples.to_feather(out / "intrinsic_sample_bank.feather")

start = time.time()
waveform_banks.create_waveform_bank_from_samples(
    samples_path=out / "intrinsic_sample_bank.feather",
    bank_config_path=out / "bank_config.json",
    waveform_dir=out / "waveforms",
    n_pool=int(n_processes),
    blocksize=config["blocksize"],
    approximant=config["approximant"],
)
seconds = time.time() - start


def block(folder, k):
    amplitudes = np.load(folder / f"waveforms/amplitudes_block_{k}.npy")
    return amplitudes * np.exp(1j * np.load(folder / f"waveforms/phase_block_{k}.npy"))


largest = 0.0
for k in range(-(-n // config["blocksize"])):
    theirs = block(out, k)
    ours = block(bank, k)[: len(theirs)]
    known = theirs != 0
    largest = max(largest, np.max(np.abs(ours - theirs)[known] / np.abs(theirs)[known]))
print(f"{config['approximant']}: {n / seconds:.0f} waveforms/s with {n_processes} processes; differs by {largest:.1e}")
