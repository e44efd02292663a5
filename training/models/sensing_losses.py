"""The losses (4) to (12) of adversarial compressed sensing, as scalars to be made small.

B is the batch, s = S(x) the measurements, x' = G(s) the reconstruction, Y the true class, lce the cross-entropy. The
paper prints D_rf(s_i) in (8); a discriminator of pictures can only be shown G(s_i), so that is what (8) gets here.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def reconstruction_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """LG = 1 / (2B) sum_i d(x'_i, x_i), equation 5, with d the squared error summed over the picture."""
    return (found - wanted).square().sum() / (2 * len(wanted))


def classifier_loss(logits: Tensor, labels: Tensor, *, limit: float = 0.0) -> Tensor:
    """LC = 1 / B sum_i lce(C(x'_i), Y_i), equation 6.

    Args:
        logits: (B, classes). labels: (B,).
        limit: nats at which a picture's cross-entropy ends: one that is lost already pulls no more. 0: none, as
            printed; -beta * LC has no lower bound then.
    """
    each = F.cross_entropy(logits, labels, reduction="none")
    return (each.clamp(max=limit) if limit else each).mean()


def adversarial_loss(reconstruction: Tensor, classifier: Tensor, *, alpha: float, beta: float) -> Tensor:
    """Ladv = alpha * LG - beta * LC, equation 4: what G descends; it raises the classifier's cross-entropy."""
    return alpha * reconstruction - beta * classifier


def discriminator_rf_loss(real: Tensor, fake: Tensor) -> Tensor:
    """L_{D-Drf} = 1 / B sum_i (lce(D_rf(x_i), 1) + lce(D_rf(G(s_i)), 0)), equation 8.

    Args: real, fake: (B,) logits of "real" for pictures x and for reconstructions.
    """
    return F.binary_cross_entropy_with_logits(real, torch.ones_like(real)) + F.binary_cross_entropy_with_logits(
        fake, torch.zeros_like(fake)
    )


def discriminator_rec_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """L_{D-Drec} = 1 / B sum_i lce(D_rec(x_i), Y_i), equation 9: on real pictures."""
    return F.cross_entropy(logits, labels)


def discriminator_loss(rf: Tensor, rec: Tensor, *, lambda_d: float, gamma_d: float) -> Tensor:
    """LDtot = lambda_D * L_{D-Drf} + gamma_D * L_{D-Drec}, equation 7."""
    return lambda_d * rf + gamma_d * rec


def generator_rf_loss(fake: Tensor) -> Tensor:
    """L_{G-Drf} = 1 / B sum_i lce(D_rf(G(s_i)), 1), equation 11: small where reconstructions pass for real."""
    return F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))


def generator_loss(
    reconstruction: Tensor, rf: Tensor, rec: Tensor, *, alpha: float, lambda_g: float, gamma_g: float
) -> Tensor:
    """LGtot = alpha * LG + lambda_G * L_{G-Drf} - gamma_G * L_{G-Drec}, equation 10.

    Args: rec: L_{G-Drec} of equation 12, which is `classifier_loss` of D_rec's answers to G(s_i).
    """
    return alpha * reconstruction + lambda_g * rf - gamma_g * rec
