import json

from streamlit.testing.v1 import AppTest

from app.widgets.train_options import CHOICE_NAMES
from diagnostics.training.config import OPTIONS


def form():
    import streamlit as st

    from app.widgets.train_options import train_options

    st.json(train_options("image", "single"))


def test_untouched_options_are_left_to_the_defaults():
    at = AppTest.from_function(form).run()
    assert not at.exception
    assert at.json[0].value == "{}"


def test_only_what_fits_the_items_and_their_labels_is_offered():
    def of_rows():
        import streamlit as st

        from app.widgets.train_options import train_options

        st.json(train_options("tabular", "multi"))

    at = AppTest.from_function(of_rows).run()
    keys = {widget.key for widget in (*at.selectbox, *at.number_input, *at.text_input, *at.checkbox)}
    assert {"train_folds", "train_thresholds"} <= keys
    assert not keys & {"train_flip", "train_image_size_px", "train_pretrained"}


def test_every_value_is_offered_in_words_and_kept_as_it_is():
    at = AppTest.from_function(form).run()
    assert all(
        set(CHOICE_NAMES[name]) >= set(option.choices) for name, option in OPTIONS.items() if option.choices
    )
    boxes = {box.label: box for box in at.selectbox}
    assert boxes["Model"].options[:3] == ["Chosen for you", "Small network", "ResNet-18"]
    assert boxes["Flip"].options == ["Chosen for you", "Yes", "No"]
    boxes["Rare classes"].select("weighted_loss").run()
    assert json.loads(at.json[0].value) == {"imbalance": "weighted_loss"}


def test_of_several_labels_only_the_remedies_that_they_have_are_offered():
    def of_sets():
        from app.widgets.train_options import train_options

        train_options("image", "multi")

    boxes = {box.label: box for box in AppTest.from_function(of_sets).run().selectbox}
    assert boxes["Rare classes"].options == ["None", "Weighted loss", "Weighted sampling", "Focal loss"]
    assert boxes["Thresholds"].options[0] == "Best F1 of each class"


def test_a_model_that_is_fitted_at_once_is_not_asked_for_epochs_and_one_that_is_not_is():
    def of_texts():
        import streamlit as st

        from app.widgets.train_options import train_options

        st.json(train_options("text", "single"))

    at = AppTest.from_function(of_texts).run()
    asked = {widget.key for widget in at.number_input}
    assert "train_folds" in asked
    assert not asked & {"train_lr", "train_epochs", "train_batch_size", "train_lm_epochs"}
    at.selectbox(key="train_arch").set_value("awd_lstm").run()
    asked = {widget.key for widget in at.number_input}
    assert {"train_lr", "train_epochs", "train_lm_epochs"} <= asked
    assert "train_frozen_epochs" not in asked


def test_only_what_was_changed_is_passed_on():
    at = AppTest.from_function(form).run()
    at.number_input(key="train_folds").set_value(3).run()
    at.selectbox(key="train_flip").set_value(False).run()
    assert json.loads(at.json[0].value) == {"flip": False, "folds": 3}


def test_the_number_of_trainings_is_asked_for():
    def seeds():
        import streamlit as st

        from app.widgets.train_options import seeds_field

        st.text(seeds_field())

    at = AppTest.from_function(seeds).run()
    assert at.text[0].value == "1"
    at.number_input(key="train_seeds").set_value(3).run()
    assert at.text[0].value == "3"


def test_a_model_is_told_in_a_sentence_and_that_its_weights_are_not_here(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    at = AppTest.from_function(form).run()
    at.selectbox(key="train_arch").set_value("resnet50").run()
    assert json.loads(at.json[0].value) == {"arch": "resnet50"}
    assert "Larger and slower" in at.markdown[0].value
    assert "not available here" in at.caption[0].value
