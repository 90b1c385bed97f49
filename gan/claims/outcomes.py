"""The claims about what comes out: runs and their scores compared."""

import math
import statistics

import numpy as np
import pandas as pd
from scipy import stats

from gan.claims.evidence import Evidence
from gan.claims.finding import Finding, decide
from gan.formatting import joined, percent, span
from gan.formatting import share as in_percent
from gan.records.claims import Numbers
from gan.records.comparison import Contrast
from gan.stats.inference import Estimate, mean_estimate, share_estimate

NON_BCE = ("lsgan", "wgan", "wgan_gp", "hinge")
"""The field's objectives that are no cross-entropy."""


def stability(evidence: Evidence, survivors: int) -> Finding:
    contrast = evidence.contrast("non_saturating", "minimax")
    failures, alpha = contrast.failures, evidence.comparison.alpha
    failed, of_minimax, p = failures.variant, failures.against, failures.p
    numbers: Numbers = {"failed_non_saturating": failed, "failed_minimax": of_minimax, "mcnemar_p": p}
    sentence = f"Of {contrast.n.variant} seeds {failed} failed with non_saturating and {of_minimax} with minimax"
    if p <= alpha:
        return Finding(
            decide(failed < of_minimax, failed > of_minimax), f"{sentence} (exact McNemar test, p = {p:.2g}).", numbers
        )
    logs = [
        [math.log(fid) for fid in runs.loc[~runs["failed"], "fid"]]
        for runs in (evidence.runs("non_saturating"), evidence.runs("minimax"))
    ]
    if min(map(len, logs)) < survivors:
        return Finding("undecided", f"{sentence}: too few survive to compare their spread.", numbers)
    deviation, other = (statistics.stdev(values) for values in logs)
    p = float(stats.levene(*logs, center="median").pvalue)
    numbers |= {"spread_non_saturating": deviation, "spread_minimax": other, "brown_forsythe_p": p}
    sentence += f"; log FIDs of the survivors spread by {deviation:.3g} and {other:.3g} (p = {p:.2g})."
    return Finding(decide(p <= alpha and deviation < other, p <= alpha and deviation > other), sentence, numbers)


def recipe_works(evidence: Evidence, digits: int, fid: float, share: float) -> Finding:
    runs = evidence.runs("non_saturating")
    unlearnt = evidence.fid_without_learning(runs)
    works = (runs["state"] == "learnt") & (runs["digits"] >= digits) & (runs["fid"] < fid * unlearnt)
    working, confidence = int(works.sum()), 1 - evidence.comparison.alpha
    estimate = share_estimate(working, len(runs), confidence)
    coverage = float(runs["coverage"].mean())
    return Finding(
        decide(estimate.low > share, estimate.high < share),
        f"{working} of {len(runs)} runs give a working generator ({percent(confidence)} interval of the share "
        f"{span(estimate.low, estimate.high)}): FID below {fid * unlearnt:.0f}, as the mean image and noise have "
        f"{unlearnt:.0f} or more, and {digits:g} digits or more. Their images cover {in_percent(coverage, 1)} of the "
        f"real ones.",
        {
            "runs": len(runs),
            "learnt": int((runs["state"] == "learnt").sum()),
            "working": working,
            "low": estimate.low,
            "high": estimate.high,
            "fid_without_learning": unlearnt,
            "coverage": coverage,
        },
    )


def pixel_losses(evidence: Evidence, variance: float, distance: float, sound: float) -> Finding:
    numbers: Numbers = {}
    nonsense, any_sound, variances, distances = [], False, [], []
    for variant, centre in (("pixel_mse", "mean_distance"), ("pixel_mae", "median_distance")):
        runs, rivals = evidence.runs(variant), evidence.rivals(variant, "non_saturating")
        real_variance = numbers["real_variance"] = evidence.floor_of(runs)["output_variance"]
        variances.append(float(runs["output_variance"].max()) / real_variance)
        distances.append(float(runs[centre].max()) / real_variance)
        worse = bool(runs["fid"].min() > rivals["fid"].max())
        nonsense.append(variances[-1] < variance and distances[-1] < distance and worse)
        any_sound |= bool((runs["output_variance"] > sound * real_variance).all())
        numbers[f"{variant}.variance"], numbers[f"{variant}.{centre}"] = variances[-1], distances[-1]
        numbers[f"{variant}.worse"] = worse
    return Finding(
        decide(all(nonsense), any_sound),
        f"With MSE and with MAE outputs vary over z by at most {in_percent(variances[0], 1)} and "
        f"{in_percent(variances[1], 1)} of what real images do, and lie {in_percent(distances[0], 1)} of that from the "
        f"mean image and {in_percent(distances[1], 1)} from the median image. "
        f"{'All their FIDs are' if all(map(numbers.get, _WORSE)) else 'Not all their FIDs are'} above "
        f"non-saturating's after as many epochs.",
        numbers,
    )


_WORSE = ("pixel_mse.worse", "pixel_mae.worse")


def reconstructs(evidence: Evidence, nearest: float, digit: float) -> Finding:
    runs, rivals = evidence.runs("vae"), evidence.rivals("vae", "pixel_mse")
    sentence, numbers, errors = _reconstruction(evidence, runs, nearest)
    learnt = int((runs["state"] == "learnt").sum())
    better, worse = runs["fid"].max() < rivals["fid"].min(), runs["fid"].min() > rivals["fid"].max()
    fid, rival_fid = _geometric_mean(runs), _geometric_mean(rivals)
    return Finding(
        decide(
            bool((errors < nearest).all() and learnt == len(runs) and better),
            bool(not (errors < digit).any() or worse),
        ),
        f"{sentence} {learnt} have learnt; FID is {fid:.0f}, beside {rival_fid:.0f} where the pixel loss compares with "
        f"an independent image.",
        numbers | {"learnt": learnt, "better_fid": bool(better), "fid": fid, "fid_pixel_mse": rival_fid},
    )


def joined_with_vae(evidence: Evidence, nearest: float, digit: float, cost: float) -> Finding:
    runs = evidence.runs("vae_gan")
    vae, gan = (evidence.rivals("vae_gan", parent) for parent in ("vae", "non_saturating"))
    sentence, numbers, errors = _reconstruction(evidence, runs, nearest)
    learnt = int((runs["state"] == "learnt").sum())
    ratios = {
        "error_to_vae": _ratio(runs, vae, "reconstruction_error", evidence.comparison.alpha),
        "fid_to_non_saturating": _ratio(runs, gan, "fid", evidence.comparison.alpha),
    }
    for name, ratio in ratios.items():
        numbers |= {name: ratio.value, f"{name}.low": ratio.low, f"{name}.high": ratio.high}
    kept = all(ratio.high < cost for ratio in ratios.values())
    lost = any(ratio.low > cost for ratio in ratios.values())
    error, fid = ratios.values()
    return Finding(
        decide(
            bool((errors < nearest).all()) and learnt == len(runs) and kept, bool(not (errors < digit).any() or lost)
        ),
        f"{sentence} {learnt} have learnt. The error is {_told(error)} times the plain VAE's and FID {_told(fid)} "
        f"times the plain GAN's after as many epochs. The plain VAE's FID is {_geometric_mean(vae):.0f} and the joint "
        f"one's {_geometric_mean(runs):.0f}.",
        numbers | {"learnt": learnt, "fid": _geometric_mean(runs), "fid_vae": _geometric_mean(vae)},
    )


def _reconstruction(evidence: Evidence, runs: pd.DataFrame, nearest: float) -> tuple[str, Numbers, pd.Series]:
    """A sentence, its numbers, and each run's error of rebuilt test images as a share of the mean image's."""
    errors = runs["reconstruction_error"] / evidence.floor_of(runs)["mean_distance"]
    faithful = int((errors < nearest).sum())
    sentence = (
        f"Test images are rebuilt from inferred latents with {in_percent(errors.mean())} of the mean image's error, "
        f"and with less than the nearest training image's {in_percent(nearest, 1)} in {faithful} of {len(runs)} runs."
    )
    return sentence, {"runs": len(runs), "faithful": faithful, "error": float(errors.mean())}, errors


def _ratio(runs: pd.DataFrame, against: pd.DataFrame, column: str, alpha: float) -> Estimate:
    """Geometric mean of run / run on the same seed, with Student's t interval of its logarithm; (0, ∞) for one pair."""
    pairs = runs.set_index("seed")[column] / against.set_index("seed")[column]
    return mean_estimate(np.log(pairs.dropna().to_numpy(dtype=float)), 1 - alpha).exp()


def _told(ratio: Estimate) -> str:
    if not math.isfinite(ratio.high):
        return "an unknown number of"
    return f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


def _geometric_mean(runs: pd.DataFrame) -> float:
    return float(np.exp(np.log(runs["fid"].dropna()).mean()))


def feature_matching(evidence: Evidence, matters: float) -> Finding:
    contrast = evidence.contrast("feature_matching", "non_saturating")
    no_gain = _no_gain(contrast, matters)
    return Finding(
        decide(no_gain, contrast.verdict == "supported" and not no_gain),
        f"{contrast.reason} That {'rules out' if no_gain else 'leaves room for'} a gain by a factor of {matters:g}.",
        _contrast_numbers(contrast),
    )


def _no_gain(contrast: Contrast, matters: float) -> bool:
    """Whether a contrast rules out that its variant improves FID by as much as the factor `matters`."""
    return contrast.verdict == "refuted" or (contrast.low is not None and contrast.low > 1 / matters)


def better_than_the_original(evidence: Evidence) -> Finding:
    contrast, twin = evidence.contrast("cewl", "minimax"), evidence.any_contrast("cewl", "non_saturating")
    beside = f" Beside the non-saturating form of the same paper: {twin.reason}" if twin else ""
    return Finding(
        decide(contrast.verdict == "supported", contrast.verdict == "refuted"),
        f"{contrast.reason}{beside}",
        {**_contrast_numbers(contrast), "equivalence_to_non_saturating": twin.verdict if twin else None},
    )


def other_losses(evidence: Evidence, matters: float) -> Finding:
    contrasts = {variant: evidence.contrast(variant, "non_saturating") for variant in NON_BCE}
    numbers: Numbers = {}
    for variant, contrast in contrasts.items():
        numbers |= {f"{variant}.ratio": contrast.ratio, f"{variant}.failed": contrast.failures.variant}
        numbers |= {f"{variant}.runs": contrast.n.variant, f"{variant}.verdict": contrast.verdict}
    better = [variant for variant, contrast in contrasts.items() if contrast.verdict == "supported"]
    worse = [variant for variant, contrast in contrasts.items() if contrast.verdict == "refuted"]
    useless = [variant for variant, contrast in contrasts.items() if _no_gain(contrast, matters)]
    return Finding(
        decide(bool(better), len(useless) == len(contrasts)),
        f"Better than non-saturating after as many epochs: {joined(better) or 'none'}; worse: "
        f"{joined(worse) or 'none'}; a gain by a factor of {matters:g} is ruled out for {joined(useless) or 'none'}.",
        numbers,
    )


def _contrast_numbers(contrast: Contrast) -> Numbers:
    numbers: Numbers = {"ratio": contrast.ratio, "low": contrast.low, "high": contrast.high}
    return numbers | {"p_adjusted": contrast.p_adjusted, "runs": contrast.n.variant, "contrast": contrast.id}
