from types import SimpleNamespace

from mood.benchmark.command import lesion_figures


def test_what_a_method_reaches_on_lesions_is_kept_with_its_weights():
    pooled = SimpleNamespace(cases=6, chance=0.00512, pixel_ap=SimpleNamespace(value=0.04999))
    kept = lesion_figures(SimpleNamespace(pooled=pooled))
    assert kept == {"lesion_scans": 6, "lesion_ap": 0.05, "lesion_share": 0.0051}
