import numpy as np

from mood.training.packed import PackedScan, load_packs, save_pack, training_scans


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


def test_no_picture_of_a_scan_that_is_kept_apart_is_trained_on(tmp_path):
    rng = np.random.default_rng(0)
    scans = [
        PackedScan(f"s{i}", np.full((6 + i, 7, 5), 90, np.uint8), (1.0, 1.0, 1.0 + (i == 3)), np.eye(4)[:3], "site")
        for i in range(9)
    ]
    save_pack(tmp_path / "pack-1.npz", scans)
    plain, more = (training_scans([tmp_path / "pack-1.npz"], count, np.random.default_rng(1)) for count in (0, 2))
    assert (len(plain.training), len(plain.apart), plain.others) == (5, 4, 0)
    np.testing.assert_array_equal(more.apart, plain.apart)
    fine = [i for i in plain.training if i != 3]
    assert more.facts() == {"training_scans": 5, "others": len(fine)}
    assert set(more.store.sites) == {"site", "scanner-0", "scanner-1"}
    assert set(more.drawn(40, rng)) <= set(more.training)
    assert not set(more.drawn(40, rng)) & set(more.apart)
