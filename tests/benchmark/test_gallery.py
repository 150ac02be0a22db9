import numpy as np
from matplotlib import image

from mood.benchmark.gallery import save_maps


def test_maps_of_one_method_share_a_scale_over_the_rows(tmp_path):
    rows = {
        str(top): {"scan": np.full((8, 6), 0.5), "label": np.eye(8, 6), "m": np.full((8, 6), top)} for top in (1, 9)
    }
    save_maps(rows, tmp_path / "new" / "maps.png")
    picture = image.imread(tmp_path / "new" / "maps.png")[..., :3].sum(axis=-1)
    height, width = picture.shape
    faint, strong = (picture[int(height * share), int(width * 0.85)] for share in (0.3, 0.75))
    assert faint < 0.5 * strong
