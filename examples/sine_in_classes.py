"""sin(x) in 21 classes, sin(x) as a number, and why mixing the two stalls.

Classes go with a cross-entropy, numbers with the squared error. A question that comes back in
forums has 21 sigmoid outputs under the squared error: 20 of 21 targets are 0, so "nothing, ever" is
nearly right, and where a sigmoid says so firmly its derivative y (1 - y) is nearly 0.

    python sine_in_classes.py        prints the figures, saves sine_in_classes.png
"""

import numpy as np

import eigenmlp as em

x = np.linspace(-np.pi, np.pi, 400)
sine = np.sin(x)
classes = np.linspace(-1, 1, 21)  # the value that each class stands for
labels = np.rint((sine + 1) * 10).astype(int)


def main(backend="native", picture=None, epochs=1000):
    X, positive = x[:, None], x > 0

    def train(sizes, y, **options):
        net = em.MLP(sizes, activation="sigmoid", seed=0, backend=backend, **options)
        optimizer = em.SGD(lr=0.05, momentum=0.9)
        net.fit(X, y, epochs, batch_size=20, optimizer=optimizer, progress=False)
        return net

    right = train([1, 21, 21], labels, loss="softmax_cross_entropy")
    number = train([1, 21, 1], sine, loss="squared_error")
    mixed = train(
        [1, 21, 21], np.eye(21)[labels], output_activation="sigmoid", loss="squared_error"
    )
    sign = train([1, 3, 1], positive, loss="sigmoid_cross_entropy")

    answers = {
        "21 classes, softmax_cross_entropy": classes[right.predict(X)],
        "one number, squared_error": number.forward(X)[:, 0],
        "21 classes, squared_error (mixed)": classes[mixed.forward(X).argmax(axis=1)],
    }
    if picture:
        import pictures

        pictures.sine_in_classes(x, sine, answers, picture)
    results = {f"error of {k}": np.sqrt(np.mean((v - sine) ** 2)) for k, v in answers.items()}
    results["right classes, softmax_cross_entropy"] = right.evaluate(X, labels).accuracy
    results["right classes, mixed"] = (mixed.forward(X).argmax(axis=1) == labels).mean()
    results["right signs of x, 1-3-1"] = sign.evaluate(X, positive).accuracy
    return results


if __name__ == "__main__":
    for name, figure in main(picture="sine_in_classes.png").items():
        print(f"{name}: {figure}")
