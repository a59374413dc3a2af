"""What the examples draw, each function one picture, saved as a PNG file."""

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import eigenmlp as em

plt.rcParams.update(em.plot.STYLE)


# Of an output from 0 to 1: pale, so that names and lines can be read on it.
OUTPUT = dict(levels=np.linspace(0, 1, 11), cmap="PuOr", vmin=-0.5, vmax=1.5)


def save(figure, picture, dpi="figure"):
    """Write a PNG file, at least 1,200 pixels wide, of 256 colours: small, and all that is seen."""
    figure.savefig(picture, dpi=dpi)
    plt.close(figure)
    with Image.open(picture) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(picture, optimize=True)


def four_people(net, X, names, losses, picture):
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    left.semilogy(range(1, len(losses) + 1), losses)
    left.set(title="One person at a time", xlabel="epoch", ylabel="mean squared error")
    pounds, inches = np.meshgrid(np.linspace(-20, 45, 101), np.linspace(-8, 8, 101))
    Y = net.forward(np.stack([pounds.ravel(), inches.ravel()], axis=1)).reshape(pounds.shape)
    levels = right.contourf(pounds + 135, inches + 66, Y, **OUTPUT)
    for name, (weight, height) in zip(names, X.tolist(), strict=True):
        right.plot(weight + 135, height + 66, "ko")
        right.text(weight + 136, height + 66.3, name)
    right.set(title="What the network says", xlabel="weight (lb)", ylabel="height (in)")
    figure.colorbar(levels, label="output: 1 means a woman")
    save(figure, picture)


def xor(net, X, y, losses, picture):
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    left.loglog(range(1, len(losses) + 1), losses)
    left.set(title="A plateau, then a fall", xlabel="epoch", ylabel="mean squared error")
    first, second = np.meshgrid(np.linspace(-0.3, 1.3, 101), np.linspace(-0.3, 1.3, 101))
    Y = net.forward(np.stack([first.ravel(), second.ravel()], axis=1)).reshape(first.shape)
    levels = right.contourf(first, second, Y, **OUTPUT)
    right.scatter(*X.T, c=y, cmap="gray", edgecolors="black", s=60, zorder=2)
    right.set(title="The output between the four points", xlabel="x₀", ylabel="x₁", aspect=1)
    figure.colorbar(levels, label="output")
    save(figure, picture)


def symbolic_perceptron(outputs, picture):
    figure, axes = plt.subplots(figsize=(8, 4.5))
    axes.plot(outputs)
    axes.annotate(
        f"{outputs[0]:.15f}", (0, outputs[0]), xytext=(15, -3), textcoords="offset points"
    )
    last = len(outputs) - 1
    text = dict(xytext=(0, -18), textcoords="offset points", ha="right")
    axes.annotate(f"{outputs[-1]:.15f}", (last, outputs[-1]), **text)
    axes.set(title="Seven numbers, changed one after the other", xlabel="round", ylabel="output")
    save(figure, picture)


def linear_softmax(gradient, loop_gradient, published, picture):
    figure, axes = plt.subplots(figsize=(8, 5))
    axes.plot(gradient.ravel(), published.ravel(), "x", color="C1", label="dW /= n + reg * W")
    axes.plot(gradient.ravel(), loop_gradient.ravel(), ".", color="C0", label="dW / n + reg * W")
    axes.set(title="640 derivatives, twice", xlabel="eigenmlp", ylabel="the loop")
    axes.legend(frameon=False)
    save(figure, picture)


def binary_images(pictures, probabilities, losses, exploding, picture):
    figure = plt.figure(figsize=(11, 4))
    left, right = figure.subfigures(1, 2, width_ratios=[2, 1])
    for panel, image, p in zip(left.subplots(2, 5).flat, pictures, probabilities, strict=True):
        panel.imshow(image)
        panel.set_axis_off()
        panel.set_title(f"{p:.4f}", fontsize="medium")
    left.suptitle("Probability of a cat (a disc)")
    axes = right.subplots()
    axes.loglog(range(1, len(losses) + 1), losses, label="mean")
    axes.loglog(range(1, 21), exploding, label="sum")
    axes.set(title="Mean or sum of gradients", xlabel="epoch", ylabel="mean cross-entropy")
    axes.legend(frameon=False, loc="center right")
    save(figure, picture)


def sine_in_classes(x, sine, answers, picture):
    figure, panels = plt.subplots(1, 3, figsize=(11, 4), sharey=True)
    for panel, (name, values) in zip(panels, answers.items(), strict=True):
        panel.plot(x, sine, color="0.7", linewidth=4, label="sin x")
        panel.plot(x, values, color="C0", label="network")
        panel.set(title=name.replace(", ", "\n"), xlabel="x")
    panels[0].set(ylabel="sin x")
    panels[0].legend(frameon=False)
    save(figure, picture)


def best_input(net, climb, best, picture):
    first, second = np.meshgrid(np.linspace(-1.2, 1.6, 101), np.linspace(-0.8, 2.2, 101))
    Y = net.forward(np.stack([first.ravel(), second.ravel()], axis=1)).reshape(first.shape)
    figure, axes = plt.subplots(figsize=(8, 6))
    levels = axes.contourf(first, second, Y, **OUTPUT)
    axes.plot(*climb.T, "k--", label="climb without the box")
    axes.add_patch(plt.Rectangle((0, 0), 1, 1, fill=False, linewidth=2, label="the box"))
    axes.plot(*best, "k*", markersize=16, label="best input in the box", clip_on=False)
    axes.set(title="Output of a network trained to fire on (0, 1)", xlabel="x₀", ylabel="x₁")
    axes.legend(loc="lower right")
    figure.colorbar(levels, label="output")
    save(figure, picture)


def scipy_minimize(curves, picture):
    figure, axes = plt.subplots(figsize=(8, 4.5))
    for method, curve in curves.items():
        axes.plot(np.minimum.accumulate(curve), label=method)
    axes.set(title="400-25-10 trained by SciPy", yscale="log")
    axes.set(xlabel="loss and gradient evaluated", ylabel="best loss")
    axes.legend(frameon=False)
    save(figure, picture)


def derivatives(net, X, y, direction, series, picture):
    t, p = np.linspace(0, 0.5, 51), net.parameters
    losses = [net.loss_and_gradient(X, y, parameters=p + s * direction)[0] for s in t]
    figure, axes = plt.subplots(figsize=(8, 5))
    axes.plot(t, losses, color="0.7", linewidth=5, label="loss")
    for n in (1, 2, 4, len(series) - 1):
        axes.plot(t, np.polynomial.Polynomial(series[: n + 1])(t), label=f"order {n}")
    axes.set(title="The loss down the hill, and its Taylor series", xlabel="t", ylabel="loss")
    axes.legend(frameon=False)
    save(figure, picture)


def digits_with_squares(X, weights, losses, picture):
    figure = plt.figure(figsize=(12, 9))
    top, middle, bottom = figure.subfigures(3, 1, height_ratios=[1, 3, 2.4])
    for axes, image in zip(top.subplots(1, 10), X.reshape(-1, 8, 8), strict=False):
        axes.imshow(image, cmap="gray_r")
        axes.set_axis_off()
    titles = [
        f"{layer} layer {when}" for when in ("before", "after") for layer in ("first", "second")
    ]
    names = [("pixel", "hidden unit"), ("hidden unit", "digit")] * 2
    panels = zip(middle.subplots(1, 4), weights, titles, names, strict=True)
    for axes, W, title, (below, above) in panels:
        em.plot.weights(W, ax=axes).set(title=title, aspect="auto", ylabel=below, xlabel=above)
    em.plot.loss_curve(losses, ax=bottom.subplots()).set(title="Each batch for 500 steps")
    save(figure, picture, dpi=100)


def digits_maps(net, X, y, rows, picture):
    figure = plt.figure(figsize=(12, 13))
    top, bottom = figure.subfigures(2, 1)
    panels = top.subplots(2, 4)
    for column, method in zip(panels.T, ["pca", "mds", "isomap", "tsne"], strict=True):
        for axes, source in zip(column, [None, net], strict=True):
            em.plot.codes(source, X[:rows], y[:rows], method=method, ax=axes)
            what = "inputs" if source is None else "hidden codes"
            name = {"pca": "PCA", "mds": "MDS", "isomap": "Isomap", "tsne": "t-SNE"}[method]
            axes.set(title=f"{name} of {what}", xlabel="", ylabel="", xticks=[], yticks=[])
    em.plot.digit_graph(net, X, y, ax=bottom.subplots())
    save(figure, picture, dpi=100)


def softmax_derivative(curves, picture):
    figure, axes = plt.subplots(figsize=(8, 5))
    for name, curve in curves.items():
        axes.plot(curve, label=name)
    axes.set(title="Training with four derivatives of softmax", xlabel="epoch", ylabel="loss")
    axes.legend(frameon=False)
    save(figure, picture)


def softmax_over_groups(losses, learned, worth, picture):
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    left.semilogx(range(1, len(losses) + 1), losses)
    left.set(title="2,000 choices", xlabel="epoch", ylabel="mean of -log p(chosen)")
    x = np.arange(3)
    right.bar(x - 0.2, worth, 0.4, label="true")
    right.bar(x + 0.2, learned, 0.4, label="learned")
    right.set(title="What it is worth", xticks=x, xticklabels=["a euro", "an hour", "a change"])
    right.legend()
    save(figure, picture)
