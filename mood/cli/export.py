"""The command that writes trained networks for other programs."""

from __future__ import annotations

from mood.cli.options import MethodOption, OutputOption, RegionOption, WeightsOption, console


def export(
    target: OutputOption, region: RegionOption, method: MethodOption = None, weights: WeightsOption = None
) -> None:
    """Write each network of a method as an ONNX file that says what it is shown and what its output means."""
    from mood.detector import load_detector
    from mood.engines import KerasEngine
    from mood.engines.onnx import require
    from mood.methods.export import export_networks

    require()
    detector = load_detector(region, method, weights, KerasEngine.name)
    for path, difference in export_networks(detector.method, detector.about(), target):
        text = f"{path}: within {difference:.1e} of Keras under ONNX Runtime"
        console.print(text, highlight=False, markup=False, soft_wrap=True)
