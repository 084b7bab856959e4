"""The tables of the job language: other names that people bring along, and what comes in a later version."""

from hotfolder.capabilities.base import Capability

KEY_ALIASES = {
    "num_inference_steps": "steps",
    "sampling_steps": "steps",
    "guidance_scale": "guidance",
    "cfg_scale": "guidance",
    "cfg": "guidance",
    "distilled_cfg_scale": "guidance",
    "negative": "negative_prompt",
    "lora": "loras",
    "num_images": "variants",
    "num_images_per_prompt": "variants",
    "n": "variants",
    "n_iter": "variants",
    "batch_count": "variants",
    "batch_size": "variants",
    "denoising_strength": "strength",
    "denoise": "strength",
    "sampler_name": "sampler",
    "scheduler": "sampler",
    "checkpoint": "model",
    "w": "width",
    "h": "height",
    "init_image": "image",
    "input": "image",
    "mask_image": "mask",
    "output_format": "format",
    "filename": "name",
}
"""Key of diffusers, A1111/Forge or ComfyUI -> ours."""

LATER_KEYS = {
    "control": {"generate"},
    "style": {"generate"},
    "face": {"generate"},
}
"""Common key -> the kinds that will understand it; it counts where the capability does not list it in `uses`."""

UNIVERSAL = frozenset(
    ("kind", "model", "profile", "image_sha256", "format", "quality")
    + ("name", "keep_exif", "priority", "tags", "note", "matrix", "contact_sheet", "on_keep")
)
"""Common keys that mean something to every kind, but for those that a kind ignores."""


def understood(capability: type[Capability]) -> frozenset[str]:
    """Return the common keys that mean something to a kind."""
    return (UNIVERSAL | capability.uses | capability.needs) - capability.ignores
