"""Right answers to the exercises of notebook 06, written independently of the solutions."""

import torch
import torch.nn.functional as F


def patchify_by_unfold(x, size):
    return F.unfold(x, size, stride=size).transpose(1, 2)


def patchify_by_cutting(x, size):
    rows = [band.split(size, dim=3) for band in x.split(size, dim=2)]
    return torch.stack([patch.flatten(1) for row in rows for patch in row], dim=1)


def patchify_by_windows(x, size):
    windows = x.unfold(2, size, size).unfold(3, size, size)  # (B, C, rows, columns, size, size)
    return windows.movedim(1, 3).flatten(3).flatten(1, 2)


def masking_by_permutations(tokens, ratio, generator):
    B, N, _ = tokens.shape
    n_hidden = round(ratio * N)
    mask = torch.zeros(B, N, dtype=torch.bool)
    restore = torch.zeros(B, N, dtype=torch.int64)
    visible = []
    for b in range(B):
        chosen = torch.randperm(N, generator=generator)[:n_hidden]
        mask[b, chosen] = True
        visible.append(tokens[b][~mask[b]])  # in the order of the image
        restore[b, ~mask[b]] = torch.arange(N - n_hidden)
        restore[b, mask[b]] = torch.arange(N - n_hidden, N)
    return torch.stack(visible), mask, restore


def masking_by_topk(tokens, ratio, generator):
    B, N, D = tokens.shape
    keys = torch.empty(B, N).exponential_(generator=generator)
    hidden = keys.topk(round(ratio * N), dim=1).indices
    mask = torch.zeros(B, N, dtype=torch.bool).scatter(1, hidden, True)
    visible = tokens[~mask].reshape(B, -1, D)
    before = torch.where(mask, visible.shape[1] + mask.cumsum(1), (~mask).cumsum(1))
    return visible, mask, before - 1


ALTERNATIVES = {
    "patchify": [patchify_by_unfold, patchify_by_cutting, patchify_by_windows],
    "random_masking": [masking_by_permutations, masking_by_topk],
}
