"""The most that any policy can return on Gymnasium's pendulum, by its mass: dynamic programming with full knowledge.

    python3 scripts/pendulum_optimum.py --low 0.5 --high 2      # needs numpy; about a minute

Backward induction over the 200 steps of an episode on a grid of angle and speed, values between its points interpolated, for
21 torques. Values are averaged over the initial states, and over masses that are uniform between the two. Interpolation costs
a little return, the less, the finer the grid: the second column has a grid of half as many points, and the third is what both
say of an infinitely fine one (Richardson, second order).
"""

import argparse

import numpy

SPEED, TORQUE, STEP, GRAVITY, LENGTH, STEPS = 8.0, 2.0, 0.05, 10.0, 1.0, 200


def optimum(mass, angles, speeds, torques=21):
    """The mean of the best return over the initial states: angles of all directions, speeds of -1 to 1 rad/s."""
    theta = numpy.linspace(-numpy.pi, numpy.pi, angles, endpoint=False)
    speed = numpy.linspace(-SPEED, SPEED, speeds)
    a, w, u = numpy.meshgrid(theta, speed, numpy.linspace(-TORQUE, TORQUE, torques), indexing="ij")
    reward = -(a**2 + 0.1 * w**2 + 0.001 * u**2).ravel().astype("f4")
    faster = w + (1.5 * GRAVITY / LENGTH * numpy.sin(a) + 3 / (mass * LENGTH**2) * u) * STEP
    faster = numpy.clip(faster, -SPEED, SPEED)
    # the place of the next state on the grid, whose angles are a circle
    x = ((a + faster * STEP + numpy.pi) / (2 * numpy.pi) * angles % angles).ravel()
    y = ((faster + SPEED) / (2 * SPEED) * (speeds - 1)).ravel()
    i, j = x.astype(int) % angles, numpy.minimum(y.astype(int), speeds - 2)
    fx, fy = (x - numpy.floor(x)).astype("f4"), (y - j).astype("f4")
    low, high = i * speeds + j, (i + 1) % angles * speeds + j
    corners = [(low, (1 - fx) * (1 - fy)), (high, fx * (1 - fy)), (low + 1, (1 - fx) * fy), (high + 1, fx * fy)]
    value = numpy.zeros(angles * speeds, "f4")
    for _ in range(STEPS):
        value = (reward + sum(weight * value[at] for at, weight in corners)).reshape(-1, torques).max(1)
    return float(value.reshape(angles, speeds)[:, numpy.abs(speed) <= 1].mean())


def main():
    """Prints the optimum of each mass, and their mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--low", type=float, default=1.0, help="least mass (kg)")
    parser.add_argument("--high", type=float, default=1.0, help="largest mass (kg)")
    parser.add_argument("--masses", type=int, default=7, help="masses between the two, ends included")
    options = parser.parse_args()
    masses = [options.low] if options.low == options.high else numpy.linspace(options.low, options.high, options.masses)
    found = []
    for mass in masses:
        fine, coarse = optimum(mass, 180, 161), optimum(mass, 90, 81)
        found.append((fine, coarse, (4 * fine - coarse) / 3))
        print(f"mass {mass:.3f}: {fine:.1f} {coarse:.1f} {found[-1][2]:.1f}", flush=True)
    if len(found) > 1:
        # trapezoids: the masses at the ends count half
        weights = numpy.ones(len(found))
        weights[[0, -1]] = 0.5
        print("mean:      " + " ".join(f"{value:.1f}" for value in numpy.average(found, axis=0, weights=weights)))


if __name__ == "__main__":
    main()
