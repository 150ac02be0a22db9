import numpy as np

from mood.training.packed import PackedScan, load_packs, save_pack


def test_a_packed_scan_keeps_air_and_is_off_by_less_than_a_step(tmp_path):
    rng = np.random.default_rng(0)
    shapes, packed = [(9, 7, 5), (6, 8, 4)], []
    for i, shape in enumerate(shapes):
        data = rng.integers(0, 256, shape, np.uint8) * (rng.random(shape) > 0.4).astype(np.uint8)
        packed.append(PackedScan(f"scan{i}", data, (1.0, 1.5, 2.0), np.eye(4)[:3], "site"))
    save_pack(tmp_path / "pack-1.npz", packed)
    store = load_packs([tmp_path / "pack-1.npz"], rng)
    assert len(store) == 2
    for scan, row in zip(packed, store.voxels, strict=True):
        x, y, z = scan.data.shape
        inner = row[1 : x + 1, 1 : y + 1, 1 : z + 1].astype(int)
        np.testing.assert_array_equal(inner > 0, scan.data > 0)
        assert np.abs(inner - scan.data)[scan.data > 3].max() <= 3
        assert row.sum() == inner.sum()
    np.testing.assert_allclose(store.to_template[0] @ [1, 1, 1, 1], 0)
