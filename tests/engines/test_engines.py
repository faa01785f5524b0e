import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import EPFail

from perception import (
    DeviceError,
    LabelMismatchError,
    ModelNotFoundError,
    NotAModelError,
    SpecInvalidError,
    SpecMissingError,
    SpecVersionError,
)
from perception.engines import open_engine
from perception.engines.checks import check_outputs
from perception.engines.fake import FakeEngine
from perception.engines.ort import PROVIDERS, OrtEngine, engine_folder, tensorrt_options
from perception.spec import METADATA_KEY, ModelSpec
from perception.tasks import TASKS
from tests.conftest import COLORS, DETECTION, PALETTE, SEGMENTATION, SIGNS, ModelWriter, solid, write_model


def test_an_opened_model_knows_its_spec_and_where_it_runs(signs_model: Path) -> None:
    engine = open_engine(signs_model, device="cpu")
    assert engine.spec == SIGNS
    assert engine.device == "cpu"


def test_auto_runs_everywhere(segmentation_model: Path) -> None:
    assert open_engine(segmentation_model).device in ("cpu", "cuda", "tensorrt")


def test_outputs_are_named_and_typed_as_the_contract_says(
    signs_model: Path, segmentation_model: Path
) -> None:
    batch = np.stack([solid("Red", 16, 16), solid("Blue", 16, 16)])
    outputs = open_engine(signs_model, device="cpu").infer(batch)
    assert outputs["scores"].dtype == np.float32
    assert outputs["scores"].argmax(axis=1).tolist() == [COLORS.index("Red"), COLORS.index("Blue")]
    np.testing.assert_allclose(outputs["scores"].sum(axis=1), 1.0, rtol=1e-6)
    assert outputs["known"].tolist() == [1.0, 1.0]
    mask = open_engine(segmentation_model, device="cpu").infer(solid("Green", 24, 32)[None])["mask"]
    assert mask.dtype == np.uint8 and mask.shape == (1, 24, 32) and (mask == COLORS.index("Green")).all()


def test_more_frames_than_an_accelerator_is_built_for_keep_their_order(signs_model: Path) -> None:
    names = [COLORS[number % 3] for number in range(2 * TASKS["signs"].max_batch + 5)]
    outputs = open_engine(signs_model, device="cpu").infer(np.stack([solid(name, 16, 16) for name in names]))
    assert [COLORS[i] for i in outputs["scores"].argmax(axis=1)] == names


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"nowhere\.onnx: no such file"):
        open_engine(tmp_path / "nowhere.onnx")


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07\x12\x04abcd" * 40])
def test_not_a_model(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(NotAModelError, match=r"broken\.onnx: .*; copy it again"):
        open_engine(path)


def test_weights_in_place_of_a_model(tmp_path: Path) -> None:
    path = tmp_path / "signs.safetensors"
    path.write_bytes(b"any")
    with pytest.raises(NotAModelError, match=r"signs\.safetensors: are weights, .*; give the model file"):
        open_engine(path)


def test_a_name_in_the_graph_that_is_no_text(tmp_path: Path, signs_model: Path) -> None:
    """ONNX Runtime's error is of another kind then, or has no text: that changes from run to run."""
    path = tmp_path / "damaged.onnx"
    path.write_bytes(signs_model.read_bytes().replace(b"Div", b"\xff\xff\xff"))
    with pytest.raises(NotAModelError, match=r"damaged\.onnx: ONNX Runtime .* cannot open it: \S"):
        open_engine(path)


def test_a_file_name_that_is_no_text(tmp_path: Path, signs_model: Path) -> None:
    path = tmp_path / os.fsdecode(b"stra\xdfe.onnx")
    path.write_bytes(signs_model.read_bytes())
    with pytest.raises(NotAModelError, match="not UTF-8"):
        open_engine(path)


def test_nothing_is_reported_to_anyone(tmp_path: Path, signs_model: Path) -> None:
    """ONNX Runtime's telemetry begins with an identifier of the machine in the home folder."""
    home = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    program = "import sys, perception; perception.load(sys.argv[1])"
    command = [sys.executable, "-c", program, signs_model]
    subprocess.run(command, cwd=Path(__file__).parents[2], env=home, check=True)
    assert not list(tmp_path.rglob("*onnxruntime*"))


def test_a_model_cut_short(tmp_path: Path, signs_model: Path) -> None:
    path = tmp_path / "half.onnx"
    path.write_bytes(signs_model.read_bytes()[:300])
    with pytest.raises(NotAModelError):
        open_engine(path)


def test_a_model_without_spec(tmp_path: Path) -> None:
    with pytest.raises(SpecMissingError, match="training export"):
        open_engine(write_model(tmp_path / "plain.onnx", SIGNS, metadata={"producer": "someone"}))


def test_a_model_of_a_newer_release(model_with_spec: ModelWriter) -> None:
    with pytest.raises(SpecVersionError, match=r"edited\.onnx: spec version 99"):
        open_engine(model_with_spec(version=99))


def test_a_spec_of_another_size_than_the_graph(model_with_spec: ModelWriter) -> None:
    with pytest.raises(SpecInvalidError, match=r"it must take frames tensor\(uint8\) \[N, 32, 32, 3\]"):
        open_engine(model_with_spec(input_hw=[32, 32]))


def test_a_spec_of_another_task_than_the_graph(model_with_spec: ModelWriter) -> None:
    with pytest.raises(SpecInvalidError, match="no output 'mask', only scores, known"):
        open_engine(model_with_spec(task="segmentation"))


def test_as_many_labels_as_outputs(model_with_spec: ModelWriter) -> None:
    with pytest.raises(LabelMismatchError, match="2 labels, but 'scores' is 3 wide"):
        open_engine(model_with_spec(labels=["Blue", "Green"], palette=[[0, 0, 0]] * 2))


def test_a_sign_model_for_one_frame_only(tmp_path: Path) -> None:
    with pytest.raises(SpecInvalidError, match=r"takes 1 frame\(s\).*free first axis"):
        open_engine(write_model(tmp_path / "one.onnx", SIGNS, batch=1))


def test_a_segmentation_model_for_one_frame_only_is_fine(tmp_path: Path) -> None:
    path = write_model(tmp_path / "one.onnx", SEGMENTATION, batch=1)
    assert open_engine(path, device="cpu").infer(solid("Red", 24, 32)[None])["mask"].shape == (1, 24, 32)


def test_unknown_device(signs_model: Path) -> None:
    with pytest.raises(DeviceError, match=r"'tpu'.*auto, cpu, cuda, tensorrt"):
        open_engine(signs_model, device="tpu")


def test_an_ordered_device_that_is_not_there(signs_model: Path) -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    with pytest.raises(DeviceError, match=r"cuda did not come up.*onnxruntime-gpu.*device='auto'"):
        open_engine(signs_model, device="cuda")


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_auto_says_so_when_a_device_does_not_come_up(
    signs_model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    available = onnxruntime.get_available_providers()
    if "CUDAExecutionProvider" in available:
        pytest.skip("this ONNX Runtime has CUDA")
    # As on a machine with onnxruntime-gpu and no GPU: offered, and then silently left out of the session.
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", *available])
    assert open_engine(signs_model).device == "cpu"
    assert "cuda did not come up" in caplog.text and "trying the next device" in caplog.text
    with pytest.raises(DeviceError, match="cuda did not come up"):
        open_engine(signs_model, device="cuda")


def test_auto_goes_on_where_there_is_no_folder_for_tensorrts_engines(
    tmp_path: Path, signs_model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    available = onnxruntime.get_available_providers()
    if "TensorrtExecutionProvider" in available:
        pytest.skip("this ONNX Runtime has TensorRT")
    (tmp_path / "cache").write_text("a file where a folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    provider = "TensorrtExecutionProvider"
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [provider, *available])
    assert open_engine(signs_model).device == "cpu"
    assert "tensorrt did not come up" in caplog.text
    with pytest.raises(DeviceError, match="tensorrt did not come up"):
        open_engine(signs_model, device="tensorrt")


def test_what_the_device_itself_says_is_handed_on(
    signs_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """ONNX Runtime by default prints it, and opens a session without the device."""
    create = onnxruntime.InferenceSession._create_inference_session

    def without_driver(session: onnxruntime.InferenceSession, providers: list, *rest: object) -> None:
        if providers != ["CPUExecutionProvider"]:
            raise RuntimeError("CUDA failure 35: CUDA driver version is insufficient")
        create(session, providers, *rest)

    monkeypatch.setattr(onnxruntime.InferenceSession, "_create_inference_session", without_driver)
    available = onnxruntime.get_available_providers()
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", *available])
    with pytest.raises(DeviceError, match=r"cuda did not come up \(CUDA failure 35"):
        open_engine(signs_model, device="cuda")
    assert not capsys.readouterr().out


def test_an_engine_that_was_cut_off_is_built_again(
    tmp_path: Path, signs_model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Session(onnxruntime.InferenceSession):
        def __init__(self, *args: object, **options: object) -> None:
            if any(folder.rglob("*.engine")):
                raise EPFail("[ONNXRuntimeError] : 11 : EP_FAIL : TensorRT EP could not deserialize engine")
            super().__init__(signs_model)

        def get_providers(self) -> list[str]:
            return [PROVIDERS["tensorrt"]]

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(PROVIDERS.values()))
    folder = engine_folder(signs_model)
    folder.mkdir(parents=True)
    (folder / "cut.engine").touch()
    inference_session = onnxruntime.InferenceSession
    opened: list[str] = []

    def open_session(path: str, options: object, *, providers: list, **others: object) -> object:
        opened.append(str(providers[0]))
        return inference_session(path, options, providers=providers) if len(providers) == 1 else Session()

    monkeypatch.setattr("perception.engines.ort.ort.InferenceSession", open_session)
    assert open_engine(signs_model, device="tensorrt").device == "tensorrt"
    assert sum("Tensorrt" in provider for provider in opened) == 2 and "to build them again" in caplog.text
    assert folder.is_dir() and not any(folder.iterdir())


def test_memory_is_reserved_for_as_many_frames_as_go_through_at_once(
    tmp_path: Path, signs_model: Path, segmentation_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    largest = "trt_profile_max_shapes"
    assert tensorrt_options(signs_model, SIGNS)[largest] == "frames:32x16x16x3"
    assert tensorrt_options(segmentation_model, SEGMENTATION)[largest] == "frames:1x24x32x3"
    frames = np.stack([solid("Green", 24, 32), solid("Red", 24, 32)])
    mask = open_engine(segmentation_model, device="cpu").infer(frames)["mask"]
    assert mask[:, 0, 0].tolist() == [COLORS.index("Green"), COLORS.index("Red")]


def test_an_engine_is_built_for_the_frames_of_all_usual_cameras(
    tmp_path: Path, detector_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    options = tensorrt_options(detector_model, DETECTION)
    shapes = [options[f"trt_profile_{bound}_shapes"] for bound in ("min", "opt", "max")]
    assert shapes == ["frames:1x32x32x3", "frames:1x64x96x3", "frames:1x1920x1920x3"]
    assert not any("shapes" in name for name in tensorrt_options(detector_model, DETECTION, is_free=False))


def test_a_model_of_free_size_takes_all_multiples_of_its_stride(detector_model: Path) -> None:
    engine = open_engine(detector_model, device="cpu")
    for size in ((32, 32), (48, 160), (320, 16)):
        boxes = engine.infer(solid("Red", *size)[np.newaxis])["boxes"]
        assert boxes[0].tolist() == [0, 0, size[1], size[0]]


def test_a_graph_of_one_size_whose_spec_promises_all_is_refused(tmp_path: Path, detector_model: Path) -> None:
    path = tmp_path / "fixed.onnx"
    model = onnx.load(detector_model)
    for axis, size in enumerate(DETECTION.input_hw, start=1):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = size
    onnx.save(model, path)
    with pytest.raises(SpecInvalidError, match=r"frames of \[64, 96\] only, but .* any multiple of 16 px"):
        open_engine(path, device="cpu")
    onnx.helper.set_model_props(model, {METADATA_KEY: replace(DETECTION, stride=0, enlarge_to=0).to_json()})
    onnx.save(model, path)
    open_engine(path, device="cpu")


@pytest.mark.parametrize("spec", [DETECTION, SEGMENTATION])
def test_a_model_of_one_frame_at_a_time_must_not_take_two(tmp_path: Path, spec: ModelSpec) -> None:
    open_engine(write_model(tmp_path / "one.onnx", spec, batch=1), device="cpu")
    with pytest.raises(SpecInvalidError, match=r"two\.onnx: takes 2 frames at a time, but gets one"):
        open_engine(write_model(tmp_path / "two.onnx", spec, batch=2), device="cpu")


def test_as_many_scores_as_boxes_are_needed() -> None:
    outputs = {"boxes": np.zeros((7, 4), np.float32), "scores": np.zeros(5, np.float32)}
    with pytest.raises(SpecInvalidError, match="it: 7 boxes, but 5 scores; export the model again"):
        check_outputs(DETECTION, outputs, batch=1, where="it")


def test_auto_goes_on_where_a_device_misreads_the_model(
    tmp_path: Path, signs_model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As TensorRT 8 does, which gives each picture the largest score of the batch."""
    wrong = write_model(tmp_path / "wrong.onnx", SIGNS, width=2)
    session = onnxruntime.InferenceSession(wrong)
    monkeypatch.setattr(OrtEngine, "_open_on_accelerator", lambda engine: session)
    available = onnxruntime.get_available_providers()
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", *available])
    assert open_engine(signs_model).device == "cpu"
    assert "3 labels, but 'scores' is 2 wide; on the CPU it is right, so cuda misreads" in caplog.text


def test_auto_says_so_when_nothing_knows_a_gpu_and_there_is_one(
    tmp_path: Path, signs_model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if onnxruntime.get_available_providers()[0] != "CPUExecutionProvider":
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    monkeypatch.setattr("perception.engines.gpus.NVIDIA", (str(tmp_path / "nvidia0"),))
    monkeypatch.setattr("perception.engines.builder.MODULES", ("no_tensorrt",))
    open_engine(signs_model)
    assert not caplog.text
    (tmp_path / "nvidia0").touch()
    open_engine(signs_model)
    assert caplog.text.count("nothing that computes on it; install TensorRT for Python") == 1


def test_tensorrt_keeps_its_engines_by_the_content_of_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def folder(content: bytes) -> Path:
        (tmp_path / "model.onnx").write_bytes(content)
        return Path(tensorrt_options(tmp_path / "model.onnx", SIGNS)["trt_engine_cache_path"])

    before, after = folder(b"before"), folder(b"after")
    assert before != after and folder(b"before") == before
    assert before.is_dir() and tmp_path / "cache" in before.parents


def test_the_fake_engine_counts_its_calls_and_keeps_the_contract() -> None:
    fake = FakeEngine(SIGNS)
    outputs = fake.infer(np.zeros((4, 16, 16, 3), np.uint8))
    assert fake.batches == [4]
    assert outputs["scores"].shape == (4, 3)
    lying = FakeEngine(SIGNS, outputs={"scores": np.ones(2, np.float32), "known": np.float32(1).reshape(())})
    with pytest.raises(LabelMismatchError):
        lying.infer(np.zeros((1, 16, 16, 3), np.uint8))


def test_a_closed_engine_says_so(signs_model: Path) -> None:
    engine = open_engine(signs_model, device="cpu")
    engine.close()
    engine.close()
    with pytest.raises(DeviceError, match=r"signs\.onnx: the model is closed"):
        engine.infer(np.zeros((1, 16, 16, 3), np.uint8))


def test_outputs_of_the_wrong_type_are_refused() -> None:
    outputs = {"mask": np.zeros((1, 24, 32), np.int64), "confidence": np.zeros((1, 24, 32), np.uint8)}
    with pytest.raises(SpecInvalidError, match=r"'mask' is int64 .* needs uint8 \[N, H, W\]"):
        check_outputs(SEGMENTATION, outputs, batch=1, where="it")


def test_detections_may_be_any_number() -> None:
    spec = ModelSpec("sign_detection", COLORS, PALETTE, (16, 16))
    for count in (0, 7):
        outputs = {"boxes": np.zeros((count, 4), np.float32), "scores": np.zeros(count, np.float32)}
        check_outputs(spec, outputs, batch=1, where="it")


def test_the_first_id_without_a_label_is_refused_and_unlabelled_is_not() -> None:
    mask, confidence = (np.zeros((1, 24, 32), np.uint8) for _ in range(2))
    outputs = {"mask": mask, "confidence": confidence}
    mask[0, :3, 0] = (2, 255, 0)
    check_outputs(SEGMENTATION, outputs, batch=1, where="it")
    mask[0, :3, 0] = (2, 3, 0)
    with pytest.raises(LabelMismatchError, match="class id 3 in the mask, but only 3 labels"):
        check_outputs(SEGMENTATION, outputs, batch=1, where="it")
    confidence[:], mask[:] = 3, 0  # a confidence is no id
    check_outputs(SEGMENTATION, outputs, batch=1, where="it")


@pytest.mark.parametrize("shape", [(2, 24, 32), (1, 32, 24), (1, 24, 31), (24, 32), (1, 1, 24, 32)])
def test_outputs_of_the_wrong_shape_are_refused(shape: tuple[int, ...]) -> None:
    outputs = {"mask": np.zeros(shape, np.uint8), "confidence": np.zeros((1, 24, 32), np.uint8)}
    with pytest.raises(SpecInvalidError, match="'mask' is uint8"):
        check_outputs(SEGMENTATION, outputs, batch=1, where="it")


@pytest.mark.parametrize("shape", [(7, 5), (7,), (28,)])
def test_boxes_have_four_numbers(shape: tuple[int, ...]) -> None:
    spec = ModelSpec("sign_detection", COLORS, PALETTE, (16, 16))
    outputs = {"boxes": np.zeros(shape, np.float32), "scores": np.zeros(7, np.float32)}
    with pytest.raises(SpecInvalidError, match="'boxes' is float32"):
        check_outputs(spec, outputs, batch=1, where="it")


def test_a_model_with_other_inputs_is_refused(tmp_path: Path, signs_model: Path) -> None:
    path = tmp_path / "other.onnx"
    model = onnx.load(signs_model)
    model.graph.input.append(onnx.helper.make_tensor_value_info("scale", onnx.TensorProto.FLOAT, [1]))
    onnx.save(model, path)
    with pytest.raises(SpecInvalidError, match=r"takes frames tensor\(uint8\).*, scale tensor\(float\)"):
        open_engine(path, device="cpu")
    model = onnx.load(signs_model)
    model.graph.input[0].name = model.graph.node[0].input[0] = "pictures"
    onnx.save(model, path)
    with pytest.raises(SpecInvalidError, match=r"takes pictures.*it must take frames"):
        open_engine(path, device="cpu")
