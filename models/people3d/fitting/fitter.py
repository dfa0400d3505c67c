"""Fit of bodies' motions to 2D keypoints, all frames of all people at once, of one clip or many: the frames, and how
the objective (models/people3d/fitting/objective.py) is made small. Thesis §5.3, DESIGN §4 people3d."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.body.model import BodyModel
from models.body.shape_space import ShapeSpace
from models.geometry.rotations import matrices_from_axis_angle, matrix_from_columns
from models.geometry.transforms import invert, rotation_6d_from_matrix
from models.networks import device_of
from models.people3d.fitting.fit import Fit
from models.people3d.fitting.initialisation import Initialisation
from models.people3d.fitting.objective import FitConfig, FitObjective
from models.people3d.fitting.observations import FAR_S, FitFrames, Observation, concatenate_frames, stillness
from models.people3d.fitting.support_surfaces import FurnitureTops, furniture_tops
from models.people3d.pose_prior import PosePrior


class Fitter:
    """Fits people, each as their own camera sees them and among the furniture of their own room. They do not see each
    other: whoever else is fitted at the same time, everyone's motion is the same up to rounding.

    InputError for a device that is not there.
    """

    def __init__(
        self,
        config: FitConfig,
        body: BodyModel,
        stature_m: float = 1.68,
        stature_std_m: float = 0.09,
        prior: PosePrior | None = None,
    ):
        self.config, self.device = config, device_of("people3d.fit.device", config.device)
        self.shape = ShapeSpace(body, stature_m, stature_std_m).to(self.device)
        self.objective = FitObjective(config, body, self.shape, prior, self.device)
        self.body = self.objective.body

    def tensor(self, values: np.ndarray) -> Tensor:
        """Return values in single precision, where the fitter is."""
        return torch.as_tensor(values, dtype=torch.float32, device=self.device)

    def fit(
        self,
        people: Sequence[Observation],
        starts: Sequence[Initialisation],
        latents: Float[np.ndarray, "person 3"] | None = None,
    ) -> list[Fit]:
        """Run Adam on all frames of everyone together, then L-BFGS on those of each. Deterministic.

        `latents` are shapes that are known already, and stay.
        """
        fits: list[Fit] = []
        while len(fits) < len(people):
            first = len(fits)
            ends = np.cumsum([len(observation.timestamps_s) for observation in people[first:]])
            batch = slice(first, first + max(1, int((ends <= self.config.frames_at_once).sum())))
            fits += self._fit(people[batch], starts[batch], None if latents is None else latents[batch])
        return fits

    def _fit(
        self,
        people: Sequence[Observation],
        starts: Sequence[Initialisation],
        latents: Float[np.ndarray, "person 3"] | None,
    ) -> list[Fit]:
        free = latents is None
        latent = self.tensor(np.zeros((len(people), 3)) if latents is None else latents)
        frames = [
            self.frames(number, observation, start, latent[number])
            for number, (observation, start) in enumerate(zip(people, starts, strict=True))
        ]
        whole = concatenate_frames(frames)
        variables = self.variables(starts) + ([latent] if free else [])
        self._adam([variable.requires_grad_() for variable in variables], whole, latent)
        fits = []
        for number, rows in enumerate(whole.spans):
            own = [variable.detach()[rows].clone() for variable in variables[:3]]
            own_latent = latent.detach()[number : number + 1].clone()
            fits.append(self._finished(own, own_latent, whole.rows(rows), free))
        return fits

    def variables(self, starts: Sequence[Initialisation]) -> list[Tensor]:
        """Return what is optimised, as it begins: every frame's root [frame, 6], pose [frame, 23, 3] and pelvis
        [frame, 3]."""
        root = self.tensor(rotation_6d_from_matrix(np.concatenate([start.global_orient for start in starts])))
        pose = self.tensor(np.concatenate([start.body_pose for start in starts]))
        pelvis = self.tensor(np.concatenate([start.pelvis for start in starts]))
        return [root, pose.reshape(-1, 23, 3).clone(), pelvis.clone()]

    def _adam(self, variables: list[Tensor], frames: FitFrames, latent: Float[Tensor, "person 3"]) -> None:
        """Adam (Kingma and Ba 2015) while the reprojection grows stricter; it scales each number's step by itself."""
        config = self.config
        optimiser = torch.optim.Adam(variables, lr=config.step_size, betas=(0.9, 0.98))
        root, pose, pelvis = variables[:3]
        for step in range(config.steps):
            done = step / max(config.steps - 1, 1)
            robust = config.robust_from * (config.robust_to / config.robust_from) ** min(1.0, done / 0.7)
            for group in optimiser.param_groups:
                group["lr"] = config.step_size * (1.0 if done < 0.6 else 0.05 ** ((done - 0.6) / 0.4))
            optimiser.zero_grad()
            self.objective(frames, latent, root, pose, pelvis, robust).sum().backward()
            optimiser.step()

    def _finished(self, variables: list[Tensor], latent: Float[Tensor, "1 3"], frames: FitFrames, free: bool) -> Fit:
        """One person, by L-BFGS (Liu and Nocedal 1989) from where Adam came: its steps depend on all that it
        optimises."""
        root, pose, pelvis = variables
        moving = [variable.requires_grad_() for variable in variables + ([latent] if free else [])]

        def loss() -> Tensor:
            return self.objective(frames, latent, root, pose, pelvis, self.config.robust_to)[0]

        if self.config.last_steps:
            optimiser = torch.optim.LBFGS(
                moving,
                max_iter=self.config.last_steps,
                max_eval=2 * self.config.last_steps,
                history_size=10,
                line_search_fn="strong_wolfe",
            )

            def closure() -> Tensor:
                optimiser.zero_grad()
                total = loss()
                total.backward()
                return total

            optimiser.step(closure)
        with torch.no_grad():
            betas = self.shape(latent[0])
            return Fit(
                betas.cpu().numpy().copy(),
                latent[0].detach().cpu().double().numpy().copy(),
                matrix_from_columns(root).cpu().double().numpy(),
                pose.detach().reshape(-1, 69).cpu().double().numpy(),
                (pelvis - self.body.rest_joints(betas)[0]).cpu().double().numpy(),
                float(loss()),
            )

    def reshaped(self, fit: Fit, latent: Float[np.ndarray, "3"]) -> Fit:
        """Give a fit another shape: the same postures and places of the pelvis."""
        betas = self.shape(self.tensor(latent))
        before = self.body.rest_joints(self.tensor(fit.betas))[0]
        moved = (before - self.body.rest_joints(betas)[0]).cpu().double().numpy()
        return replace(fit, betas=betas.cpu().numpy(), latent=latent, transl=fit.transl + moved)

    @torch.no_grad()
    def frames(
        self, number: int, observation: Observation, start: Initialisation, latent: Float[Tensor, "3"]
    ) -> FitFrames:
        """Return one person's frames."""
        count = len(observation.timestamps_s)
        pose = self.tensor(start.body_pose).reshape(-1, 23, 3)
        trust = self.tensor(start.trust)
        visible = zip(observation.keypoints_px, observation.weights, strict=True)
        extents = [np.linalg.norm(np.ptp(points[weights > 0], axis=0)) for points, weights in visible]
        still = self.tensor(stillness(observation.keypoints_px, observation.weights, observation.timestamps_s))
        tops = furniture_tops(observation.supports, self.device).of(torch.zeros_like(still, dtype=torch.long))
        T_camera_world = self.tensor(invert(observation.camera.T_world_camera)).expand(count, 4, 4)
        return FitFrames(
            torch.full((count,), number, device=self.device),
            self.tensor(observation.keypoints_px),
            self.tensor(observation.weights),
            self.tensor(self.config.pixel_std * np.maximum(extents, 20.0) + 1.5),
            self.tensor(np.append(FAR_S, np.diff(observation.timestamps_s))),
            still,
            # The library's steps are no information; what was regressed is smooth already, and moves as fast as people
            # fall.
            torch.where(trust[:, None, None] > 0.0, pose, self._smoothed(pose)),
            self.tensor(start.global_orient),
            trust,
            self._ground(start, latent, still, tops),
            T_camera_world[:, :3, :3],
            T_camera_world[:, :3, 3],
            self.tensor(observation.camera.intrinsics).expand(count, 3, 3),
            tops,
        )

    def _ground(
        self, start: Initialisation, latent: Float[Tensor, "3"], still: Float[Tensor, "time"], tops: FurnitureTops
    ) -> Float[Tensor, "time"]:
        """Height of what carries the body where no support is known: the floor, or, where a regressor lays who lies
        still well above it, something as high as that.

        The regressor's heights scatter from frame to frame, so one median stands for each time of lying still.
        """
        betas = self.shape(latent)
        orient, pelvis = self.tensor(start.global_orient), self.tensor(start.pelvis)
        pose = matrices_from_axis_angle(self.tensor(start.body_pose).reshape(-1, 23, 3))
        transl = pelvis - self.body.rest_joints(betas)[0]
        posed = self.body.posed(betas[None], orient, pose, transl)
        # Of the trunk: an arm that hangs over the edge, or seems to, says nothing of the mattress.
        underside = posed.surface_points[:, torch.cat(self.objective.trunk), 2].amin(-1)
        lies = (orient[:, 2, 1].abs() < 0.5) & (still > 0.3) & (self.tensor(start.trust) > 0.0)
        for top in range(len(tops)):
            lies &= tops.outside(top, pelvis[:, None, :2])[:, 0] > 0.0
        ground = torch.zeros_like(underside)
        edges = torch.nonzero(torch.diff(torch.nn.functional.pad(lies.int(), (1, 1))))[:, 0]
        for first, last in edges.reshape(-1, 2).tolist():
            height = underside[first:last].median()
            if height > self.config.raised_m:
                ground[first:last] = height
        return ground

    def _smoothed(self, pose: Float[Tensor, "time 23 3"]) -> Float[Tensor, "time 23 3"]:
        """Poses averaged over about half a second."""
        if len(pose) < 3:
            return pose.clone()
        reach = min(4, (len(pose) - 1) // 2)
        kernel = pose.new_ones(1, 1, 2 * reach + 1) / (2 * reach + 1)
        flat = pose.reshape(len(pose), 1, 69).permute(2, 1, 0)
        padded = torch.nn.functional.pad(flat, (reach, reach), mode="replicate")
        return torch.nn.functional.conv1d(padded, kernel).permute(2, 1, 0).reshape(-1, 23, 3)
