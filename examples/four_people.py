"""Four people: tell women from men by weight and height, with two hidden neurons.

The first network of many tutorials, in the form that Victor Zhou published: weights in pounds less
135, heights in inches less 66; 1 means a woman. All of back-propagation fits on one page here: the
outputs of every neuron, one derivative, and 1,000 epochs of one person at a time.

    python four_people.py        prints the figures, saves four_people.png
"""

import numpy as np

import eigenmlp as em

PEOPLE = ["Alice", "Bob", "Charlie", "Diana"]
X = np.array([[-2, -1], [25, 6], [17, 4], [-15, -6]])  # weight - 135, height - 66
y = np.array([1, 0, 0, 1])


def main(backend="native", picture=None):
    options = dict(loss="squared_error", dtype="float64", backend=backend)
    net = em.MLP([2, 2, 1], activation="sigmoid", output_activation="sigmoid", seed=0, **options)
    start = net.parameters

    # All weights 1, all biases 0, and one person: numbers that one can follow with a pencil.
    net.parameters = [1, 1, 1, 1, 0, 0, 1, 1, 0]  # W0 (2, 2), b0 (2,), W1 (2, 1), b1 (1,)
    hidden = em.MLP([2, 2], output_activation="sigmoid", **options)
    hidden.parameters = net.parameters[:6]
    h = hidden.forward(X[:1])[0, 0]
    output = net.forward(X[:1])[0, 0]
    _, gradient = net.loss_and_gradient(X[:1], y[:1])

    net.parameters = start
    history = net.fit(X, y, epochs=1000, batch_size=1, optimizer=em.SGD(lr=0.1), shuffle=False)
    outputs = net.forward(X)[:, 0]

    if picture:
        import pictures

        pictures.four_people(net, X, PEOPLE, history.loss, picture)
    return {
        "hidden neuron of Alice, all weights 1": h,
        "output for Alice, all weights 1": output,
        "dL/dw1": gradient[0],
        "loss after training": net.loss(X, y),
        "outputs after training": dict(zip(PEOPLE, outputs.tolist(), strict=True)),
    }


if __name__ == "__main__":
    for name, figure in main(picture="four_people.png").items():
        print(f"{name}: {figure}")
